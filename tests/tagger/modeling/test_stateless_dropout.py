import numpy as np
import pytest
import tensorflow as tf

from tagger.modeling.stateless_dropout import Noise, Stream, drop, random_bytes

SEED = tf.constant([7, 11], tf.int32)


def test_bytes_belong_to_the_row_whoever_computes_them():
    whole = random_bytes(SEED, 0, 12, 48).numpy()
    assert whole.shape == (12, 48)
    for first, rows in ((0, 4), (4, 4), (8, 4), (5, 7)):
        assert np.array_equal(random_bytes(SEED, first, rows, 48), whole[first:first + rows])
    assert not np.array_equal(random_bytes(tf.constant([7, 12]), 0, 12, 48), whole)


def test_bytes_belong_to_row_and_position_however_wide_the_batch_is():
    whole = Noise(SEED, 0, 12).of_positions(Stream.WORD, 9, 48).numpy()
    assert whole.shape == (9, 12, 48)
    assert len(np.unique(whole.reshape(-1, 48), axis=0)) == 9 * 12
    for first, rows, positions in ((0, 12, 4), (0, 5, 9), (7, 5, 9), (7, 5, 2)):
        part = Noise(SEED, first, 12).of_positions(Stream.WORD, positions, 48).numpy()
        assert np.array_equal(part[:, :rows], whole[:positions, first:first + rows])


def test_streams_share_no_bytes():
    noise = Noise(SEED, 0, 12)
    rows = [noise.of_rows(stream, 12, 48).numpy() for stream in Stream]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 12 * len(Stream)


def test_bytes_are_uniform():
    counts = np.bincount(random_bytes(SEED, 0, 1000, 256).numpy().ravel(), minlength=256)
    assert abs(counts - 1000).max() < 200  # 6 standard deviations


def test_drop_keeps_the_mean():
    noise = random_bytes(SEED, 0, 400, 256)
    for rate in (0.25, 0.5, 0.9):
        dropped = drop(tf.ones([400, 256]), noise, rate).numpy()
        assert abs((dropped == 0).mean() - rate) < 0.01
        assert abs(dropped.mean() - 1) < 0.03
        assert len(np.unique(dropped)) == 2


@pytest.mark.parametrize("rate, dropped", [(0.0, 0), (1e-4, 1), (0.5, 128), (0.999, 255)])
def test_the_least_and_the_largest_rate_leave_something_and_drop_something(rate, dropped):
    noise = tf.constant(np.arange(256, dtype=np.uint8)[np.newaxis])
    kept = drop(tf.ones([1, 256]), noise, rate).numpy()
    assert (kept == 0).sum() == dropped and abs(kept.mean() - 1) < 1e-5
