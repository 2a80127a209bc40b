"""How the learning rate of an update depends on its number, beside what plateaus do to it."""

import math

import tensorflow as tf


def scale(name: str, update: tf.Tensor, warmup_steps: int, total_steps: int) -> tf.Tensor:
    """The factor, 0 to 1, on the learning rate of one update.

    Args:
      name: "constant" or "cosine" (half a cosine from 1 after warm-up to 0 at `total_steps`; Loshchilov & Hutter,
        "SGDR", 2017, without restarts).
      update: integer scalar, updates made before this one.
      warmup_steps: updates over which the factor rises linearly; the first has 1 / warmup_steps.
      total_steps: updates of the whole run.

    Returns:
      float32 scalar.
    """
    done = tf.cast(update, tf.float32)
    factor = tf.constant(1.0)
    if name == "cosine":
        span = max(total_steps - warmup_steps, 1)
        progress = tf.clip_by_value((done - warmup_steps) / span, 0.0, 1.0)
        factor = 0.5 * (1 + tf.cos(math.pi * progress))
    if warmup_steps:
        factor = tf.minimum(factor, (done + 1) / warmup_steps)
    return factor
