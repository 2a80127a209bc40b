"""Photos by their keys, and no more of the split than that takes."""

import pytest

from flags.errors import UserError
from records.format import layout
from records.input.shard_reader import open_split
from records.input.stored_photos import stored_photos
from tests.records import folders


@pytest.fixture
def split(tmp_path):
    folder = folders.write(tmp_path / "r", {"train": folders.random_split(0, [3, 2, 2])}, image=b"photo")
    return open_split(folder, "train")


def test_the_photos_asked_for_come_in_stored_order(split):
    keys = ["train/1/1", "train/0/2", "train/9/9"]
    assert list(stored_photos(split, keys)) == [("train/0/2", b"photo"), ("train/1/1", b"photo")]
    assert list(stored_photos(split, [])) == []


def test_reading_ends_with_the_last_one(split):
    shard = split.path(split.info.shards[2])
    with open(shard, "r+b") as file:  # damage that reading on would find
        file.seek(20)
        file.write(b"\xff\xff")
    assert [key for key, _ in stored_photos(split, ["train/0/0"])] == ["train/0/0"]
    with pytest.raises(UserError, match="a shard cannot be read"):
        list(stored_photos(split, ["train/2/1"]))


def test_records_without_photos_have_none(tmp_path):
    folder = folders.write(tmp_path / "r", {"train": folders.random_split(0, [3])})
    assert layout.is_shard(open_split(folder, "train").info.shards[0].file)
    assert list(stored_photos(open_split(folder, "train"), ["train/0/0"])) == []
