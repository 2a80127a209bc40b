import numpy as np
import pytest
import tensorflow as tf

from tagger.modeling.products import product


@pytest.mark.parametrize("transpose", [False, True])
def test_bfloat16_rounds_the_factors_and_the_result_and_nothing_between(transpose):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((40, 300), (300, 20)))
    given = tf.constant(a.T if transpose else a)
    exact = product(given, tf.constant(b), tf.float32, transpose_a=transpose)
    np.testing.assert_allclose(exact, a @ b, rtol=1e-4, atol=1e-4)
    rough = product(given, tf.constant(b), tf.bfloat16, transpose_a=transpose)
    assert rough.dtype == tf.float32
    factors = [tf.cast(tf.cast(value, tf.bfloat16), tf.float64).numpy() for value in (a, b)]
    expected = factors[0] @ factors[1]
    # 8 bits of the result; 300 summands added up in 8 bits would be off by ten times as much.
    assert np.linalg.norm(rough - expected) < 2 ** -8 * np.linalg.norm(expected)
