import keras
import numpy as np
import pytest
import tensorflow as tf

from tagger.training.optimizer import FusedAdam

SHAPES = [(7, 5), (5,), (3, 4)]


def train(optimizer: keras.optimizers.Optimizer, updates: int = 12, keras_way: bool = False) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    variables = [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in SHAPES]
    optimizer.build(variables)
    step = (lambda g: optimizer.apply(g)) if keras_way else tf.function(optimizer.update)
    for _ in range(updates):
        step([tf.constant(rng.normal(size=shape) * 3, tf.float32) for shape in SHAPES])
    return [variable.numpy() for variable in variables]


def assert_close(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_is_keras_adam():
    assert_close(train(FusedAdam(0.01)), train(keras.optimizers.Adam(0.01), keras_way=True))


def test_clipping_is_keras_clipping():
    clipped = train(FusedAdam(0.01, clip_norm=0.7))
    assert_close(clipped, train(keras.optimizers.Adam(0.01, global_clipnorm=0.7), keras_way=True))
    assert not np.allclose(clipped[0], train(FusedAdam(0.01))[0], atol=1e-4)


def test_weight_decay_is_that_of_adamw_on_matrices():
    expected = keras.optimizers.AdamW(0.01, weight_decay=0.3)
    expected._use_weight_decay = lambda variable: len(variable.shape) > 1
    assert_close(train(FusedAdam(0.01, decay=0.3)), train(expected, keras_way=True))


def test_schedule_multiplies_what_callbacks_set():
    optimizer = FusedAdam(0.01, schedule="cosine", warmup_steps=2, total_steps=10)
    train(optimizer, updates=6)
    assert int(optimizer.iterations) == 6
    assert float(optimizer.rate(optimizer.iterations.value)) == pytest.approx(0.005)
    optimizer.learning_rate = 0.002
    assert float(optimizer.rate(optimizer.iterations.value)) == pytest.approx(0.001)
