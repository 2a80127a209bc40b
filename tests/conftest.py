"""What many tests share: the command line as a user runs it, and one whole demo run."""

import fcntl
import gc
import os
import pathlib
import resource
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
# They take half a minute or more each, and come first, lest the last one is left to one of the suite's two processes.
# The second makes the demo, which most others need, while the first, which does not, keeps the other process busy.
LONG_FILES = [f"tests/{name}.py" for name in (
    "tagger/training/test_train_step", "tagger/test_export", "tagger/training/test_trainer", "tagger/tagging/test_bulk",
    "test_python_page", "tagger/training/test_pixel_task", "test_main", "test_readme", "tagger/test_train",
    "tagger/test_serve", "tagger/test_backbones", "tagger/test_tag", "records/test_verify_records")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# One arithmetic for this process and those that it starts: main.py switches oneDNN on for some modes, unless told.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# A suite started in the background inherits "ignore Ctrl-C", and would hand it on to the processes that it interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files that take long before all others."""
    order = {str(ROOT / name): index for index, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(str(item.path), len(order)))


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it again and again took the garbage collector 5% of the time."""
    gc.freeze()


def run_main(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python main.py ARGUMENTS` in a process of its own."""
    return subprocess.run([sys.executable, "main.py", *map(str, arguments)], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **environment}, check=False)


@pytest.fixture(scope="session")
def main_process():
    return run_main


@pytest.fixture
def main_here(capsys):
    """`python main.py ARGUMENTS` in this process, which has TensorFlow already: result as of `main_process`."""
    import main  # not above: main.py itself imports this file where it is given a callback of the tests

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        command = ["main.py", *map(str, arguments)]
        return subprocess.CompletedProcess(command, main.main(command), *capsys.readouterr())

    return call


@pytest.fixture
def small_disk():
    """No file may grow beyond 4096 bytes: the kernel refuses with EFBIG where a full disk gives ENOSPC."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> tuple[pathlib.Path, str]:
    """The folder and the output of one finished `--mode=demo`: records/, run/ and export/ of the embedded photos."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # one demo for all processes of the suite
    folder, log = base / "demo", base / "demo.log"
    with open(base / "demo.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not log.exists():
            result = run_main("--mode=demo", f"--run_dir={folder}")
            assert result.returncode == 0, result.stdout + result.stderr
            log.write_text(result.stdout)
    return folder, log.read_text()
