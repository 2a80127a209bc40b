"""A Dask cluster over loopback: a scheduler and workers, each a process of its own."""

import contextlib
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

_ROOT = pathlib.Path(__file__).parents[1]


@contextlib.contextmanager
def dask_cluster(folder: pathlib.Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """The options for --beam_args, and the workers' processes; all end with the block."""
    contact = folder / "scheduler.json"
    started = [_start("scheduler", contact, folder, "--host=127.0.0.1", "--port=0", "--no-dashboard")]
    try:
        _until(contact.exists)
        started += [_start("worker", contact, folder, f"--name=w{number}", "--nthreads=1", "--no-nanny",
                           "--no-dashboard", "--memory-limit=0", f"--local-directory={folder}")
                    for number in range(workers)]
        yield f"--runner=DaskRunner --dask_scheduler_file={contact}", started[1:]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _start(role: str, contact: pathlib.Path, folder: pathlib.Path, *flags: str) -> subprocess.Popen:
    with (folder / f"{role}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "dask", role, f"--scheduler-file={contact}", *flags], cwd=_ROOT,
                                stdout=log, stderr=log)


def _until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the cluster did not start")
        time.sleep(0.05)
