"""Opening a split, and noticing everything that is missing from it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.format import manifest as manifests
from records.format.tfrecord import walk
from records.input import shard_reader
from tests.records import folders

SHARDS = folders.random_split(0, [70, 64, 3])


@pytest.fixture
def folder(tmp_path):
    return folders.write(tmp_path / "r", {"train": SHARDS, "empty": [[]]}, image=b"an image")


def blocks(split, shards=(0, 1, 2), vocabulary_size=100):
    with shard_reader.reading_errors(split.records_dir):
        found = shard_reader.parsed_blocks(split, tf.constant(shards, tf.int64), vocabulary_size)
        return [block for _, _, block in found.as_numpy_iterator()]


def cut(folder, name, records):
    """Cuts a shard after so many records, and makes the manifest's size and hash agree with the cut file."""
    path = folder / name
    with path.open("rb") as file:
        end = [offset for offset, _ in walk(file)][records]
    path.write_bytes(path.read_bytes()[:end])
    return end


def resize(folder, name, size, monkeypatch):
    """Lets the size check of open_split pass, as if the file had been cut after it."""
    split_sizes = shard_reader.manifest_lib.expected_sizes
    monkeypatch.setattr(shard_reader.manifest_lib, "expected_sizes",
                        lambda manifest: {**split_sizes(manifest), name: size})


def test_blocks_give_back_every_record_and_caption(folder):
    found, keys = [], []
    for block in blocks(shard_reader.open_split(folder, "train")):
        keys += block["key"].tolist()
        for start, length, image in zip(block["start"], block["length"], block["image"], strict=True):
            found.append((block["key"][image], tuple(block["tokens"][start:start + length].tolist())))
            shard, record = map(int, block["key"][image].decode().split("/")[1:])
            np.testing.assert_array_equal(block["feature"][image], folders.feature(shard, record, 4))
    assert found == folders.captions_of("train", SHARDS)
    assert len(keys) == 137


def test_shards_come_in_the_order_asked_for(folder):
    keys = [key for block in blocks(shard_reader.open_split(folder, "train"), shards=(2, 0)) for key in block["key"]]
    assert keys[:3] == [b"train/2/0", b"train/2/1", b"train/2/2"] and keys[3] == b"train/0/0" and len(keys) == 73


def test_a_smaller_vocabulary_makes_rare_words_unknown(folder):
    ids = np.concatenate([b["tokens"] for b in blocks(shard_reader.open_split(folder, "train"), vocabulary_size=50)])
    every = np.concatenate([b["tokens"] for b in blocks(shard_reader.open_split(folder, "train"))])
    np.testing.assert_array_equal(ids, np.where(every >= 50, 2, every))
    assert every.max() == 99


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
        blocks(split)


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
        blocks(split)
    with pytest.raises(UserError, match=named), shard_reader.reading_errors(folder):
        list(shard_reader.images(split))


def test_the_largest_features_are_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "feature", lambda shard, record, size: np.full(size, 65504, "<f2"))
    split = shard_reader.open_split(folders.write(tmp_path / "r", {"train": SHARDS}, feature_size=512), "train")
    assert blocks(split)[0]["feature"].max() == 65504


@pytest.mark.parametrize("records, problem", [(69, "fewer"), (64, "fewer"), (1, "fewer")])
def test_a_shard_cut_between_records_fails(folder, monkeypatch, records, problem):
    name = "test-train.tfrecord-00000-of-00003"
    resize(folder, name, cut(folder, name, records), monkeypatch)
    split = shard_reader.open_split(folder, "train")
    with pytest.raises(UserError, match=f"{name}: has {problem} records than the 70"):
        blocks(split)
    with pytest.raises(UserError, match=f"{name}: has {problem} records than the 70"), \
            shard_reader.reading_errors(folder):
        list(shard_reader.images(split))


def test_a_shard_with_too_many_records_fails(folder, monkeypatch):
    name = "test-train.tfrecord-00001-of-00003"
    path = folder / name
    path.write_bytes(path.read_bytes() + (folder / "test-train.tfrecord-00002-of-00003").read_bytes())
    resize(folder, name, path.stat().st_size, monkeypatch)
    with pytest.raises(UserError, match=f"{name}: has more records than the 64"):
        blocks(shard_reader.open_split(folder, "train"))


def rewrite(folder, train):
    """The manifest with another train split, and a hash that fits."""
    manifest = manifests.load(folder)
    manifests.save(folder, dataclasses.replace(manifest, splits={**manifest.splits, "train": train}))


def test_a_shard_with_other_captions_fails(folder):
    train = manifests.load(folder).splits["train"]
    shards = list(train.shards)
    shards[1] = dataclasses.replace(shards[1], captions=shards[1].captions + 1)
    rewrite(folder, dataclasses.replace(train, captions=train.captions + 1, shards=tuple(shards)))
    with pytest.raises(UserError, match=r"00001-of-00003: holds \d+ captions with \d+ tokens, manifest.json says"):
        blocks(shard_reader.open_split(folder, "train"))


def test_a_caption_longer_than_the_longest_fails(folder):
    train = manifests.load(folder).splits["train"]
    rewrite(folder, dataclasses.replace(train, max_tokens=train.max_tokens - 1))
    with pytest.raises(UserError, match=r"-of-00003: a caption has (\d+) tokens, manifest.json says at most"):
        blocks(shard_reader.open_split(folder, "train"))


def test_a_flipped_byte_fails_while_reading_and_is_found_by_its_hash(folder):
    path = folder / "test-train.tfrecord-00001-of-00003"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    split = shard_reader.open_split(folder, "train")
    with pytest.raises(UserError, match="verify_records"):
        blocks(split)
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
