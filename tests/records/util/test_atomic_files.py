"""Whole, or not at all: with a disk that takes only so much, for which a limit of the kernel stands in."""

import hashlib
import os
import stat
import subprocess

import pytest

from records.util.atomic_files import AtomicOutput, remove_leftovers, write_atomic
from records.util.regular_files import NotRegular


def test_a_file_that_does_not_fit_leaves_the_old_one_and_nothing_else(tmp_path, small_disk):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(OSError) as caught:
        write_atomic(path, bytes(5000))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_what_killed_processes_were_writing_is_removed(tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "checkpoints").mkdir()
    for name in (f"config.json.tmp-{ended.pid}", f"checkpoints/step-1.npz.tmp-{ended.pid}", f"own.tmp-{os.getpid()}",
                 f"x.tmp-{os.getppid()}", f"y.tmp-{10 ** 30}", "mine.tmp", "config.json"):
        (tmp_path / name).touch()
    (tmp_path / "eval-test").mkdir()
    (tmp_path / "eval-test" / f"metrics.json.tmp-{ended.pid}").touch()
    remove_leftovers(tmp_path, others=("eval-",))
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoints", "config.json", "eval-test", "mine.tmp", f"x.tmp-{os.getppid()}"]
    assert os.listdir(tmp_path / "eval-test")
    assert os.listdir(tmp_path / "checkpoints") == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_atomic(tmp_path / "missing" / "file", b"")
    assert caught.value.filename == str(tmp_path / "missing" / "file")


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegular):
        write_atomic(tmp_path / "pipe", b"x")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode) and os.listdir(tmp_path) == ["pipe"]


def test_an_output_has_its_name_when_it_is_whole(tmp_path):
    (tmp_path / "state").mkdir()
    with AtomicOutput(tmp_path / "shard", str(tmp_path / "state")) as out:
        out.write(b"one")
        out.write(b"two")
        assert not (tmp_path / "shard").exists()
    assert (tmp_path / "shard").read_bytes() == b"onetwo" and os.listdir(tmp_path / "state") == []
    assert (out.bytes, out.sha256()) == (6, hashlib.sha256(b"onetwo").hexdigest())


def test_an_error_leaves_the_old_output_and_nothing_else(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "shard").write_bytes(b"old")
    with pytest.raises(ValueError), AtomicOutput(tmp_path / "shard", str(tmp_path / "state")) as out:
        out.write(bytes(3 << 20))
        raise ValueError
    assert (tmp_path / "shard").read_bytes() == b"old" and os.listdir(tmp_path / "state") == []


@pytest.mark.parametrize("size", [5000, 2 << 20])  # noticed at the end, and in the middle
def test_an_output_that_does_not_fit_leaves_nothing(tmp_path, small_disk, size):
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError) as caught, AtomicOutput(tmp_path / "shard", str(tmp_path / "state")) as out:
        for _ in range(size // 1000):
            out.write(bytes(1000))
    assert caught.value.filename == str(tmp_path / "shard")
    assert os.listdir(tmp_path / "state") == [] and not (tmp_path / "shard").exists()
