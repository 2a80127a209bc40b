"""Opening a split, and noticing everything that is missing from it."""

import numpy as np
import pytest

from flags.errors import UserError
from records.input import shard_reader
from records.input.caption_blocks import read_blocks
from tests.records import folders

SHARDS = folders.random_split(0, [70, 64, 3])


@pytest.fixture
def folder(tmp_path):
    return folders.write(tmp_path / "r", {"train": SHARDS, "empty": [[]]}, image=b"an image")


def read(split):
    with shard_reader.reading_errors(split.records_dir):
        return list(shard_reader.images(split).as_numpy_iterator())


def test_images_give_back_what_was_recorded(folder):
    split = shard_reader.open_split(folder, "train")
    rows = list(shard_reader.images(split).as_numpy_iterator())
    assert [row["key"] for row in rows] == [f"train/{s}/{r}".encode() for s, n in enumerate((70, 64, 3))
                                            for r in range(n)]
    captions = SHARDS[1][5]
    row = rows[70 + 5]
    assert [c.decode() for c in row["captions"]] == [" ".join(f"w{i}" for i in c) for c in captions]
    assert [c.decode() for c in row["tags"]] == [" ".join(f"t{i}" for i in c) for c in captions]
    assert row["tokens"].tolist() == [i for c in captions for i in [*c, 1]]
    assert (row["image"], row["height"], row["width"]) == (b"an image", 4, 6)
    np.testing.assert_array_equal(row["feature"], folders.feature(1, 5, 4))
    assert next(iter(shard_reader.images(split, read_image=False)))["image"].numpy() == b""


def test_records_without_features_say_how_to_make_them(tmp_path):
    split = shard_reader.open_split(folders.write(tmp_path / "r", {"train": SHARDS}, feature_size=None), "train")
    assert next(iter(shard_reader.images(split)))["feature"].shape == [0]
    with pytest.raises(UserError, match="no feature.*--backbone=resnet50"):
        list(read_blocks(split, range(3), 100, 64))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_refused_by_its_key(tmp_path, monkeypatch, number):
    plain = folders.feature

    def broken(shard, record, size):
        feature = plain(shard, record, size)
        if (shard, record) == (1, 5):
            feature[2] = number
        return feature

    monkeypatch.setattr(folders, "feature", broken)
    folder = folders.write(tmp_path / "r", {"train": SHARDS})
    split = shard_reader.open_split(folder, "train")
    named = "00001-of-00003: the feature of train/1/5 holds numbers that are not finite; run make_records again"
    with pytest.raises(UserError, match=named):
        read(split)
    with pytest.raises(UserError, match=named):
        list(read_blocks(split, range(3), 100, 64))


@pytest.mark.parametrize("records", [69, 64, 1])
def test_a_shard_cut_between_records_fails(folder, records):
    name = folders.set_shard(folder, 0, folders.first_records(folder, 0, records))
    split = shard_reader.open_split(folder, "train")
    for reads in (read, lambda split: list(read_blocks(split, range(3), 100, 64))):
        with pytest.raises(UserError, match=f"{name}: has fewer records than the 70"):
            reads(split)


def test_a_shard_with_too_many_records_fails(folder):
    names = [shard.file for shard in shard_reader.open_split(folder, "train").info.shards]
    name = folders.set_shard(folder, 1, b"".join((folder / name).read_bytes() for name in names[1:]))
    split = shard_reader.open_split(folder, "train")
    for reads in (read, lambda split: list(read_blocks(split, range(3), 100, 64))):
        with pytest.raises(UserError, match=f"{name}: has more records than the 64"):
            reads(split)


def test_a_flipped_byte_fails_while_reading_and_is_found_by_its_hash(folder):
    path = folder / "test-train.tfrecord-00001-of-00003"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    split = shard_reader.open_split(folder, "train")
    with pytest.raises(UserError, match="verify_records"):
        read(split)
    with pytest.raises(UserError, match=r"00001-of-00003: record \d+ at byte \d+: the checksum of the .* is wrong"):
        list(read_blocks(split, range(3), 100, 64))
    with pytest.raises(UserError, match="00001-of-00003: its sha256 is"):
        shard_reader.open_split(folder, "train", check_sha256=True)


def test_what_cannot_be_opened_says_what_to_do(folder, tmp_path):
    with pytest.raises(UserError, match="no split 'test', it has train, empty"):
        shard_reader.open_split(folder, "test")
    with pytest.raises(UserError, match="'empty' is empty.*--split_lists"):
        shard_reader.open_split(folder, "empty")
    with pytest.raises(UserError, match="no such folder"):
        shard_reader.open_split(tmp_path / "nowhere", "train")
    (folder / "test-train.tfrecord-00002-of-00003").unlink()
    with pytest.raises(UserError, match="00002-of-00003: is missing"):
        shard_reader.open_split(folder, "train")
