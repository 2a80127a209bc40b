"""A map over processes that keeps order and bounded memory, and whose workers never outlive their parent."""

import collections
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_PER_WORKER = 4


class WorkerDied(RuntimeError):
    """A worker process ended in the middle of a task: killed, or crashed in native code."""


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(parent: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle

    def end_with_parent() -> None:
        try:
            parent.recv_bytes()  # blocks until the parent closes its end, or is gone
        except EOFError:
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def ordered_map(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Yields function(task) for every task, in order; with 0 workers in this process.

    At most 4 tasks per worker are in flight, so that neither tasks nor results pile up in memory. Workers are
    started afresh (spawn), never forked: the parent may have TensorFlow's threads. When the parent is killed,
    raises, or drops the iterator, they end at once.

    Args:
      function: a function of a module's top level; its tasks and results can be pickled.

    Raises:
      WorkerDied: a worker was killed. Results of tasks before the one it died in may not all have been yielded.
    """
    if workers < 1:
        yield from map(function, tasks)
        return
    remaining = iter(tasks)
    context = multiprocessing.get_context("spawn")
    workers_end, own_end = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(workers_end,))
    try:
        flying: collections.deque[Future[Result]] = collections.deque(
            pool.submit(function, task) for task in itertools.islice(remaining, _TASKS_PER_WORKER * workers))
        while flying:
            result = flying.popleft().result()
            flying.extend(pool.submit(function, task) for task in itertools.islice(remaining, 1))
            yield result
        pool.shutdown()
    except BrokenProcessPool as error:
        raise WorkerDied("a worker process died") from error
    finally:
        own_end.close()
        pool.shutdown(cancel_futures=True)
        workers_end.close()
