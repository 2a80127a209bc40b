import numpy as np
import pytest
import tensorflow as tf

from records.input.in_memory import Held, batch, bytes_needed
from records.input.shard_reader import open_split
from tests.records import folders

SHARDS = folders.random_split(0, [5, 7])
CAPTIONS = folders.captions_of("train", SHARDS)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return open_split(folders.write(tmp_path_factory.mktemp("held") / "r", {"train": SHARDS}), "train")


@pytest.fixture(scope="module")
def held(split):
    return Held(split, 100)


def test_every_caption_and_feature_and_an_empty_one_of_each(held):
    keys = held.key.numpy()
    assert len(keys) == 13 and keys[-1] == b"" and not held.lengths[-1] and held.image[-1] == 12
    rows = [(keys[image], tuple(targets[:length].tolist()))
            for image, targets, length in zip(held.image, held.targets.numpy(), held.lengths, strict=True)]
    assert rows[:-1] == CAPTIONS and rows[-1] == (b"", ())
    np.testing.assert_array_equal(held.feature[7], folders.feature(1, 2, 4))
    assert not np.any(held.feature[-1]) and not np.any(held.targets[-1])


def test_batches_of_a_plan_are_as_wide_as_its_longest_row(held):
    nothing = len(CAPTIONS)
    plan = np.array([[0, 1, 2, 3], [4, 5, nothing, nothing]], np.int32)
    whole, last = held.batches(plan, slice(0, 4), 0, keys=True).as_numpy_iterator()
    assert whole["targets"].shape == (4, held.lengths[:4].max())
    assert last["key"].tolist() == [CAPTIONS[4][0], CAPTIONS[5][0], b"", b""] and not last["targets"][2:].any()
    (half,) = held.batches(plan, slice(2, 4), 1, keys=False).as_numpy_iterator()
    assert "key" not in half
    np.testing.assert_array_equal(half["targets"], last["targets"][2:])


def test_inputs_are_targets_without_the_end():
    rows = batch(tf.zeros([2, 3]), tf.constant([[5, 6, 1], [7, 1, 0]]))
    assert rows["inputs"].numpy().tolist() == [[5, 6], [7, 0]]


def test_memory_is_known_beforehand(split, held):
    taken = held.feature.numpy().nbytes + held.targets.numpy().nbytes + held.image.nbytes + held.lengths.nbytes
    assert taken * 0.8 < bytes_needed(split) < taken * 3
    assert bytes_needed(split) - bytes_needed(split, features=False) == 12 * 4 * 2
