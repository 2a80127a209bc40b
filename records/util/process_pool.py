"""A map over processes that keeps order and bounded memory, and whose workers never outlive their parent."""

import collections
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Semaphore
from typing import TypeVar, cast

from flags.errors import UserError

Task = TypeVar("Task")
Result = TypeVar("Result")

_TASKS_PER_WORKER = 4


class WorkerDied(RuntimeError):
    """A worker process ended in the middle of a task: killed, or crashed in native code."""


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(parent: Connection, environments: "SimpleQueue[Mapping[str, str]]", started: Semaphore) -> None:
    os.environ.update(environments.get())
    started.release()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle

    def end_with_parent() -> None:
        try:
            parent.recv_bytes()  # blocks until the parent closes its end, or is gone
        except EOFError:
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def worth(count: int, most: int) -> int:
    """How many processes to use for work that is worth starting `count`; 0: this one, as one more would not pay.

    Args:
      most: at most so many; 0: one per CPU.
    """
    workers = min(most or cpus(), count)
    return workers if workers > 1 else 0


class Workers:
    """Processes that map functions over tasks, one map after the other.

        with Workers() as workers:
            for result in workers.map(function, tasks, 4): ...

    They are started by the first map, or by `start`, and kept for the next: importing what they need takes as long as
    checking a thousand photos. They are started afresh (spawn), never forked: the parent may have TensorFlow's
    threads. When the parent is killed, raises, or leaves the `with` block, they end at once.

    Attributes:
      running: processes there are, or will be as soon as there is work for them.
    """

    def __init__(self) -> None:
        self.running = 0
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all processes, whatever they are at."""
        if self._pool is not None:
            self._own_end.close()
            self._pool.shutdown(cancel_futures=True)
            self._workers_end.close()
        self._pool, self.running = None, 0

    def _start(self, count: int, environments: Sequence[Mapping[str, str]] = ()) -> ProcessPoolExecutor:
        self.close()
        context = multiprocessing.get_context("spawn")
        waiting: SimpleQueue[Mapping[str, str]] = context.SimpleQueue()
        for number in range(count):
            waiting.put(environments[number] if environments else {})
        self._workers_end, self._own_end = context.Pipe(duplex=False)
        self._started = context.Semaphore(0)
        self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker,
                                         initargs=(self._workers_end, waiting, self._started))
        self.running = count
        return self._pool

    def start(self, count: int, load: Callable[[], object]) -> None:
        """Starts `count` processes for the maps to come, which call `load` while this one goes on; 0: does nothing."""
        if count > 0:
            self._start(count)
            self.prepare(load)

    def prepare(self, load: Callable[[], object]) -> None:
        """Has the processes that there are call `load`, a function of a module's top level, while this one goes on.

        What a map needs is then imported when it comes, in most of them: which process takes a call is not told.
        """
        try:
            for _ in range(self.running):  # the pool starts a process for a task that finds none idle
                cast(ProcessPoolExecutor, self._pool).submit(load)
        except BrokenProcessPool:  # one was killed while it waited: a map starts others
            self.close()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], count: int,
            environments: Sequence[Mapping[str, str]] = ()) -> Iterator[Result]:
        """Yields function(task) for every task, in order.

        At most 4 tasks per worker are in flight, so that neither tasks nor results pile up in memory. An iterator that
        is dropped, or a function that raises, ends the processes.

        Args:
          function: a function of a module's top level; its tasks and results can be pickled.
          count: processes; 0: this one. Those of an earlier map are used again when they are as many.
          environments: of each process that is started here, variables that it has from its start beside those of this
            one; by default none.

        Raises:
          WorkerDied: a worker was killed. Results of tasks before the one it died in may not all have been yielded.
          UserError: all ended before they could begin.
        """
        if count < 1:
            yield from map(function, tasks)
            return
        remaining = iter(tasks)
        first = list(itertools.islice(remaining, _TASKS_PER_WORKER * count))
        if not first:
            return
        pool = self._pool if self._pool and self.running == count else self._start(count, environments)
        try:
            flying: collections.deque[Future[Result]] = collections.deque(pool.submit(function, task) for task in first)
            while flying:
                result = flying.popleft().result()
                flying.extend(pool.submit(function, task) for task in itertools.islice(remaining, 1))
                yield result
        except BrokenProcessPool as error:
            self.close()
            if not self._started.acquire(block=False):
                raise UserError('worker processes end before they begin. A Python script that starts them needs '
                                '`if __name__ == "__main__":` around the call, as each worker imports the script; or '
                                "use one process (workers=1)") from error
            raise WorkerDied("a worker process died") from error
        except BaseException:
            self.close()
            raise


def ordered_map(function: Callable[[Task], Result], tasks: Iterable[Task], count: int) -> Iterator[Result]:
    """One map with `count` processes of its own; see Workers.map."""
    with Workers() as workers:
        yield from workers.map(function, tasks, count)
