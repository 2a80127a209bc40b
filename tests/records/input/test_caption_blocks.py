"""Blocks of records: every record and caption, and what the manifest does not say of them."""

import numpy as np
import pytest

from flags.errors import UserError
from records.input import caption_blocks
from records.input.caption_blocks import read_blocks
from records.input.shard_reader import open_split
from tests.records import folders

SHARDS = folders.random_split(0, [70, 64, 3])


@pytest.fixture
def folder(tmp_path):
    return folders.write(tmp_path / "r", {"train": SHARDS}, image=b"an image")


def blocks(folder, shards=(0, 1, 2), vocabulary_size=100, size=64, features=True):
    return list(read_blocks(open_split(folder, "train"), shards, vocabulary_size, size, features))


def rows(block):
    ends = np.cumsum(block.length)
    return [(block.key[image], tuple(block.tokens[end - length:end].tolist()))
            for image, length, end in zip(block.image, block.length, ends, strict=True)]


@pytest.mark.parametrize("span_bytes", [100, 3000, 1 << 22])
def test_blocks_give_back_every_record_and_caption_however_much_is_read_at_once(folder, monkeypatch, span_bytes):
    monkeypatch.setattr(caption_blocks, "_SPAN_BYTES", span_bytes)
    found = blocks(folder)
    assert [(block.shard, block.number, len(block.key)) for block in found] == [
        (0, 0, 64), (0, 1, 6), (1, 0, 64), (2, 0, 3)]
    assert [row for block in found for row in rows(block)] == folders.captions_of("train", SHARDS)
    for block in found:
        for key, feature in zip(block.key, block.feature, strict=True):
            np.testing.assert_array_equal(feature, folders.feature(*map(int, key.decode().split("/")[1:]), 4))


def test_shards_come_in_the_order_asked_for(folder):
    keys = [key for block in blocks(folder, shards=(2, 0), size=7, features=False) for key in block.key]
    assert keys[:4] == [b"train/2/0", b"train/2/1", b"train/2/2", b"train/0/0"] and len(keys) == 73


def test_a_smaller_vocabulary_makes_rare_words_unknown(folder):
    ids, every = (np.concatenate([block.tokens for block in blocks(folder, vocabulary_size=size)])
                  for size in (50, 100))
    np.testing.assert_array_equal(ids, np.where(every >= 50, 2, every))
    assert every.max() == 99


def test_the_largest_features_are_finite(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "feature", lambda shard, record, size: np.full(size, 65504, "<f2"))
    folder = folders.write(tmp_path / "r", {"train": SHARDS}, feature_size=512)
    assert blocks(folder)[0].feature.max() == 65504


def test_a_shard_with_other_captions_fails(folder):
    folders.set_shard(folder, 1, captions=1 + sum(map(len, SHARDS[1])))
    with pytest.raises(UserError, match=r"00001-of-00003: holds \d+ captions with \d+ tokens, manifest.json says"):
        blocks(folder)


def test_a_caption_longer_than_the_longest_fails(folder):
    folders.set_train(folder, max_tokens=14)
    with pytest.raises(UserError, match=r"-of-00003: a caption has 15 tokens, manifest.json says at most 14"):
        blocks(folder)


def test_a_shard_that_vanished_says_what_to_do(folder):
    split = open_split(folder, "train")
    (folder / split.info.shards[2].file).unlink()
    with pytest.raises(UserError, match="00002-of-00003: cannot be read .*; --mode=verify_records tells more; restore"):
        list(read_blocks(split, range(3), 100, 64))
