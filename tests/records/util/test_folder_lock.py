import os
import subprocess
import sys

import pytest

from records.util.folder_lock import locked
from tests.conftest import ROOT


def test_held_against_another_process_until_that_ends(tmp_path):
    folder = tmp_path / "new" / "folder"
    code = ("import sys; from records.util.folder_lock import locked\n"
            f"with locked({str(folder)!r}): print('held', flush=True); sys.stdin.read()")
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"held\n"
    name = f"process {holder.pid}" if os.path.exists("/proc/locks") else "another process"
    with pytest.raises(BlockingIOError, match=f"^{name}$"), locked(str(folder)):
        pass
    holder.kill()
    holder.wait()
    with locked(str(folder)):
        pass


def test_other_folders_are_free(tmp_path):
    with locked(str(tmp_path / "a")), locked(str(tmp_path / "b")), locked("gs://nowhere/a"), locked("gs://nowhere/b"):
        with pytest.raises(BlockingIOError, match=f"process {os.getpid()}"), locked("gs://nowhere/b"):
            pass
