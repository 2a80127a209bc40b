"""The true cause in one line: full disks are not short memory, and errors of the program stay errors of the program."""

import errno
import os

import h5py
import pytest
import tensorflow as tf

from records.util.system_errors import explain


def test_a_full_disk():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run/best.weights.h5")
    assert explain(error).startswith("run/best.weights.h5: No space left on device; free some room")


def test_an_error_without_a_path():
    with pytest.raises(OSError) as caught, open("/dev/full", "wb", buffering=0) as file:
        file.write(b"x")
    assert explain(caught.value).startswith("a file could not be read or written: No space left on device; free some")


def test_tensorflow_on_a_full_disk_is_not_short_of_memory():
    with pytest.raises(tf.errors.OpError) as caught:
        tf.io.write_file("/dev/full", b"x" * (1 << 20))
    assert explain(caught.value).startswith("/dev/full: No space left on device; free some room")


def test_tensorflow_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(tf.errors.OpError) as caught:
        tf.io.write_file(str(tmp_path / "file" / "x"), b"")
    assert explain(caught.value).startswith(f"{tmp_path / 'file' / 'x'}: Not a directory; a part of its path is a file")


def test_tensorflow_short_of_memory():
    error = tf.errors.ResourceExhaustedError(None, None, "{{function_node x}} OOM when allocating tensor with shape[9]")
    assert explain(error).startswith("memory ran out (OOM when allocating tensor with shape[9]); give a smaller --b")


def test_hdf5_on_a_full_disk():
    with pytest.raises(OSError) as caught:
        h5py.File("/dev/full", "w")
    assert "/dev/full" in explain(caught.value) or "No space left" in explain(caught.value)


@pytest.mark.parametrize("error", [ValueError("x"), tf.errors.InvalidArgumentError(None, None, "x; y"), KeyError("x"),
                                   tf.errors.InternalError(None, None, "x")])
def test_errors_of_the_program(error):
    assert explain(error) is None


def test_a_name_that_tensorflow_cannot_take():
    with pytest.raises(UnicodeEncodeError) as caught:
        tf.io.gfile.exists(os.fsdecode(b"caf\xe9"))
    assert explain(caught.value).startswith("caf\udce9: holds bytes that are no UTF-8, which TensorFlow cannot take")
