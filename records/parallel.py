"""A map over processes that keeps order and bounded memory, and whose workers never outlive their parent."""

import collections
import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(RuntimeError):
    """A worker process ended in the middle of a task, killed or crashed.

    Attributes:
      index: position of the first task without a result.
    """

    def __init__(self, index: int):
        super().__init__("a worker process died; if the machine is short of memory, use fewer --workers")
        self.index = index


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    def wait() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def ordered_map(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Yields function(task) for every task, in order; with one worker in this process.

    At most 4 tasks per worker are in flight, so that neither tasks nor results pile up in memory. Workers are
    started afresh (spawn), never forked: the parent may have TensorFlow's threads.

    Args:
      function: a function of a module's top level; its tasks and results can be pickled.

    Raises:
      WorkerDied: a worker was killed. Results before that task's have been yielded.
    """
    if workers <= 1:
        yield from map(function, tasks)
        return
    remaining = iter(tasks)
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    index = 0
    try:
        flying: collections.deque[Future[Result]] = collections.deque(
            pool.submit(function, task) for task in itertools.islice(remaining, 4 * workers))
        while flying:
            result = flying.popleft().result()
            flying.extend(pool.submit(function, task) for task in itertools.islice(remaining, 1))
            yield result
            index += 1
    except BrokenProcessPool as error:
        raise WorkerDied(index) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
