"""Matrix products in fewer bits than what lies between them.

Processors multiply matrices of bfloat16 at twice the rate of float32 or more, adding up in float32. All else of a step
on a CPU is float32: elementwise operations gain nothing there by fewer bits, and lose digits.
"""

import tensorflow as tf


def product(a: tf.Tensor, b: tf.Tensor, dtype: tf.DType, transpose_a: bool = False) -> tf.Tensor:
    """a @ b (or aᵀ @ b), multiplied in `dtype`, of a's dtype."""
    return tf.cast(tf.matmul(tf.cast(a, dtype), tf.cast(b, dtype), transpose_a=transpose_a), a.dtype)
