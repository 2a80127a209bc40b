import hashlib
import os

import pytest

from records.util.atomic_output import AtomicOutput


def test_the_file_has_its_name_when_it_is_whole(tmp_path):
    (tmp_path / "state").mkdir()
    with AtomicOutput(tmp_path / "shard", str(tmp_path / "state")) as out:
        out.write(b"one")
        out.write(b"two")
        assert not (tmp_path / "shard").exists()
    assert (tmp_path / "shard").read_bytes() == b"onetwo" and os.listdir(tmp_path / "state") == []
    assert (out.bytes, out.sha256()) == (6, hashlib.sha256(b"onetwo").hexdigest())


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
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
