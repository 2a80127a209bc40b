"""Whole, or not at all: with a disk that takes only so much, for which a limit of the kernel stands in."""

import os
import stat

import pytest

from records.util.atomic_files import write_atomic
from records.util.regular_files import NotRegular


def test_a_file_that_does_not_fit_leaves_the_old_one_and_nothing_else(tmp_path, small_disk):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(OSError) as caught:
        write_atomic(path, bytes(5000))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_atomic(tmp_path / "missing" / "file", b"")
    assert caught.value.filename == str(tmp_path / "missing" / "file")


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegular):
        write_atomic(tmp_path / "pipe", b"x")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode) and os.listdir(tmp_path) == ["pipe"]
