import numpy as np
import pytest
import tensorflow as tf

from tagger.losses import fused_softmax as loss_lib
from tagger.losses.fused_softmax import softmax_loss, softmax_loss_value

N, H, V = 40, 12, 90


def layer(scale: float = 1.0):
    rng = np.random.default_rng(0)
    return (tf.Variable(rng.normal(size=(N, H)).astype(np.float32) * scale),
            tf.Variable(rng.normal(size=(H, V)).astype(np.float32)),
            tf.Variable(rng.normal(size=V).astype(np.float32)),
            tf.constant(rng.integers(0, V, N), tf.int32), tf.constant(rng.normal(size=N), tf.float32))


SOFT = tf.nn.softmax(tf.constant(np.random.default_rng(1).normal(size=[N, V]) * 3, tf.float32))


def reference(hidden, kernel, bias, targets, weights, smoothing, soft_share):
    logits = tf.cast(hidden, tf.float64) @ tf.cast(kernel, tf.float64) + tf.cast(bias, tf.float64)
    wanted = (1 - smoothing - soft_share) * tf.one_hot(targets, V, dtype=tf.float64) + smoothing / V
    wanted += soft_share * tf.cast(SOFT, tf.float64)
    losses = tf.nn.softmax_cross_entropy_with_logits(wanted, logits)
    return tf.reduce_sum(losses * tf.cast(weights, tf.float64))


@pytest.mark.parametrize(("smoothing", "soft_share"), [(0.0, 0.0), (0.1, 0.0), (0.0, 0.6), (0.1, 0.6)])
@pytest.mark.parametrize("scale", [1.0, 100.0])  # 100: exponentials leave float32's range
@pytest.mark.parametrize("form", ["one chunk", "chunks", "whole"])
def test_value_and_gradients(smoothing, soft_share, scale, form, monkeypatch):
    if form == "chunks":
        monkeypatch.setattr(loss_lib, "_CHUNK_ELEMENTS", 7 * V)
        monkeypatch.setattr(loss_lib, "_LEAST_ROWS", 1)
    *variables, targets, weights = layer(scale)
    with tf.GradientTape() as tape:
        expected = reference(*variables, targets, weights, smoothing, soft_share)
    expected_gradients = tape.gradient(expected, variables)

    @tf.function
    def fused():
        with tf.GradientTape() as tape:
            loss = softmax_loss(*[tf.convert_to_tensor(v) for v in variables], targets, weights, smoothing,
                                form != "whole", *((SOFT, soft_share) if soft_share else ()))
        return loss, tape.gradient(loss, variables)

    loss, found = fused()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5, abs=1e-3)
    for one, other in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5 * scale, rtol=1e-4)


@pytest.mark.parametrize("form", ["chunks", "whole"])
def test_products_in_bfloat16_are_near_those_in_float32(form, monkeypatch):
    monkeypatch.setattr(loss_lib, "_CHUNK_ELEMENTS", 7 * V)
    monkeypatch.setattr(loss_lib, "_LEAST_ROWS", 1)
    *variables, targets, weights = layer()
    found = []
    for dtype in (tf.float32, tf.bfloat16):
        with tf.GradientTape() as tape:
            loss = softmax_loss(*[tf.convert_to_tensor(v) for v in variables], targets, tf.abs(weights), 0.1,
                                form == "chunks", SOFT, 0.3, dtype)
        found.append([loss, *tape.gradient(loss, variables)])
    assert all(value.dtype == tf.float32 for value in found[1])
    for exact, rough in zip(*found, strict=True):
        assert 0 < np.linalg.norm(rough - exact) < 0.01 * np.linalg.norm(exact)


def test_weights_default_to_one():
    *variables, targets, _ = layer()
    logits = tf.matmul(variables[0], variables[1]) + variables[2]
    expected = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
    assert float(softmax_loss(*variables, targets)) == pytest.approx(float(expected), rel=1e-6)
    assert float(softmax_loss_value(*variables, targets)) == pytest.approx(float(expected), rel=1e-6)


def test_not_finite_stays_not_finite():
    *variables, targets, weights = layer()
    variables[0].assign(variables[0] * np.nan)
    assert np.isnan(float(softmax_loss(*variables, targets, weights)))
