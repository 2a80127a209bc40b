import numpy as np
import pytest
import tensorflow as tf

from tagger.modeling.tag_readout import TagReadout, solve

random = np.random.default_rng(0)
FEATURE, TARGET = random.normal(size=(200, 5)), random.random((200, 3))


def readout(network_share: float = 0.25) -> TagReadout:
    """Of features [5], for two of three tags that every fourth and every hundredth caption has."""
    kernel = np.array([[3.0, 0], [0, 40], [0, 0], [0, 0], [0, 0]])
    return TagReadout(kernel, np.ones(2), np.array([0.25, 0.01]), network_share)


def test_the_photo_that_is_like_the_average_has_about_the_rate_of_each_tag():
    p = tf.sigmoid(readout().logits(np.zeros((1, 5)))).numpy()
    np.testing.assert_allclose(p, [[0.25, 0.01]], rtol=0.1)


def test_answers_are_probabilities_in_the_order_of_the_regression():
    steps = np.linspace(-3, 1, 50)
    logits = readout().logits(np.outer(steps, [1, 1, 0, 0, 0])).numpy()
    assert np.isfinite(logits).all() and (np.diff(logits, axis=0) >= 0).all()
    assert (np.diff(logits[steps > -0.4, 0]) > 0).all()  # what is unlikely is alike
    assert 0 < tf.sigmoid(logits).numpy().min() and tf.sigmoid(logits).numpy().max() < 1


def test_tags_beyond_its_own_are_the_networks():
    network = np.array([[1.0, -2.0, 7.0]], np.float32)
    mixed = readout().mix(np.zeros((1, 5)), tf.constant(network)).numpy()
    own = readout().logits(np.zeros((1, 5)))
    np.testing.assert_allclose(mixed[:, :2], 0.25 * network[:, :2] + 0.75 * own, rtol=1e-6)
    assert mixed[0, 2] == 7
    np.testing.assert_allclose(readout(1.0).mix(np.ones((1, 5)), tf.constant(network)), network)


def test_the_kernels_minimise_squared_error_and_penalty():
    centred, target = FEATURE - FEATURE.mean(0), TARGET - TARGET.mean(0)
    weak, strong = solve(centred.T @ centred, centred.T @ target, (1e-9, 2.0))
    np.testing.assert_allclose(weak, np.linalg.lstsq(centred, target, rcond=None)[0], rtol=1e-6)
    penalty = 2 * np.trace(centred.T @ centred) / 5

    def cost(kernel):
        return np.square(centred @ kernel - target).sum() + penalty * np.square(kernel).sum()

    assert all(cost(strong) < cost(strong + 0.01 * random.normal(size=strong.shape)) for _ in range(10))
    assert np.isfinite(next(solve(np.zeros((5, 5)), np.zeros((5, 3)), (1.0,)))).all()  # photos that are all alike


def test_written_and_read():
    data = readout().to_bytes({"run_id": "abc"})
    assert data == readout().to_bytes({"run_id": "abc"})
    again = TagReadout.from_bytes(data, 5, 3)
    for one, other in zip(again.weights, readout().weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert again.network_share == 0.25
    for damaged, size, tags in ((data[:500], 5, 3), (b"", 5, 3), (data, 6, 3), (data, 5, 1)):
        with pytest.raises(ValueError):
            TagReadout.from_bytes(damaged, size, tags)
    broken = readout()
    broken.rate.assign([np.nan, 1])
    with pytest.raises(ValueError, match="none that training writes"):
        TagReadout.from_bytes(broken.to_bytes({}), 5, 3)
