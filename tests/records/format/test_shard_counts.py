"""Counted without decoding, and what TensorFlow counts."""

import io

import numpy as np
import pytest
import tensorflow as tf

from records.format import shard_counts
from records.format.example import Example, encode
from records.format.tfrecord import frame


def example(key, captions, **fields):
    tokens = [token for caption in captions for token in caption]
    return encode(Example(key, fields.get("image"), 3, 4, fields.get("feature"), ["c"] * len(captions),
                          ["t"] * len(captions), tokens, fields.get("tag_ids")))


@pytest.mark.parametrize("fields", [
    {}, {"image": bytes(3 << 20)}, {"feature": bytes(4096), "image": b"x"}, {"tag_ids": [[1, 300], []]}])
def test_the_counts_are_those_of_tensorflow(fields):
    rng = np.random.default_rng(0)
    # Ids of one, two and three bytes; 128 to 255 end in the byte of <end>.
    pool = [0, 1 << 7, 129, 255, 256, 16383, 16384, 16385, 2, 127, 1 << 21]
    captions = [[[*rng.choice(pool, rng.integers(0, 20)).tolist(), 1] for _ in range(2)] for _ in range(30)]
    data = b"".join(frame(example(f"{i}.jpg", texts, **fields)) for i, texts in enumerate(captions))
    counts = shard_counts.count(io.BytesIO(data))
    parsed = [tf.train.Example.FromString(example(f"{i}.jpg", texts, **fields)).features.feature
              for i, texts in enumerate(captions)]
    tokens = [token for one in parsed for token in one["tokens"].int64_list.value]
    assert counts.problem == "" and counts.examples == len(parsed) == 30
    assert counts.tokens == len(tokens) and counts.captions == tokens.count(1) == 60
    assert counts.max_tokens == max(len(caption) for texts in captions for caption in texts)
    assert shard_counts.keys_of(io.BytesIO(data)) == [one["key"].bytes_list.value[0] for one in parsed]
    assert counts.keys == b"".join(shard_counts.key_hash(f"{i}.jpg".encode()) for i in range(30))


def test_captions_without_tokens_and_shards_without_examples():
    assert shard_counts.count(io.BytesIO(frame(example("a", [])))).tokens == 0
    counts = shard_counts.count(io.BytesIO(b""))
    assert (counts.examples, counts.max_tokens, counts.problem) == (0, 0, "")


@pytest.mark.parametrize(("data", "problem"), [
    (frame(example("a", [[5, 1]])) + frame(b"no example"), "record 1 is no example"),
    (frame(example("a", [[5, 1]]))[:-1], "the file ends within record 0"),
    (frame(tf.train.Example().SerializeToString()), "record 0 is no example"),
    (frame(example("a", [[5, 1], [6]])), "a caption does not end with <end>"),
    (b"\xff" * 100, "the file ends within record 0")])
def test_what_make_records_does_not_write(data, problem):
    assert problem in shard_counts.count(io.BytesIO(data)).problem
