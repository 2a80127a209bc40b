"""Softmax cross-entropy of the output layer, fused: loss and every gradient from one pass over the logits.

With a vocabulary of tens of thousands this layer is most of the arithmetic and nearly all of the memory traffic of a
step. Three things are saved against `tf.nn.sparse_softmax_cross_entropy_with_logits` on a Dense layer:

- Exponentials are taken of the logits as they are; only where a row's sum leaves float32's range is the batch done
  again relative to the largest logit of each row. A quotient of exponentials is as exact at any scale inside the range.
- Probabilities are never formed. Both products of the gradient need softmax(row) = exp(row) / sum, and the division
  moves to the narrow factor: [N, H] instead of [N, V].
- The target's -1 is put in place, into N elements.
"""

import tensorflow as tf


def softmax_loss(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor,
                 weights: tf.Tensor | None = None, label_smoothing: float = 0.0) -> tf.Tensor:
    """Sum over positions of weight times cross-entropy between softmax(hidden @ kernel + bias) and the target.

    Args:
      hidden: [N, H], any float dtype; the arithmetic is float32.
      kernel: float32 [H, V]. bias: float32 [V].
      targets: int32 [N], the true classes.
      weights: float32 [N], or None for ones. Negative ones are allowed: a policy gradient needs them.
      label_smoothing: share of each target's probability that is spread evenly over all V classes.

    Returns:
      float32 scalar. Differentiable by hidden, kernel and bias.
    """
    weights = tf.ones_like(targets, tf.float32) if weights is None else weights
    return _softmax_loss(tf.cast(hidden, tf.float32), kernel, bias, targets, weights, label_smoothing)


def _exponentials(logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """exp(logits - shift) [N, V], its row sums [N, 1], and shift [N, 1]."""
    exponentials = tf.exp(logits)
    sums = tf.reduce_sum(exponentials, axis=1, keepdims=True)
    in_range = tf.reduce_all((sums > 1e-30) & (sums < 1e30))

    def relative():
        shift = tf.reduce_max(logits, axis=1, keepdims=True)
        shifted = tf.exp(logits - shift)
        return shifted, tf.reduce_sum(shifted, axis=1, keepdims=True), shift

    return tf.cond(in_range, lambda: (exponentials, sums, tf.zeros_like(sums)), relative)


def _softmax_loss(hidden, kernel, bias, targets, weights, label_smoothing):
    @tf.custom_gradient
    def fused(hidden, kernel, bias):
        logits = tf.nn.bias_add(tf.matmul(hidden, kernel), bias)
        at_target = tf.stack([tf.range(tf.shape(targets)[0]), targets], axis=1)
        target_logits = tf.gather_nd(logits, at_target)
        mean_logits = tf.reduce_mean(logits, axis=1) if label_smoothing else 0.0
        exponentials, sums, shift = _exponentials(logits)
        losses = tf.math.log(sums[:, 0]) + shift[:, 0] - (
            (1 - label_smoothing) * target_logits + label_smoothing * mean_logits)

        def gradient(upstream):
            # d_logits = weight * (exp / sum - target probability) = scale * (exp - sum * target probability)
            scale = (upstream * weights)[:, tf.newaxis] / sums
            d = tf.tensor_scatter_nd_sub(exponentials, at_target, (1 - label_smoothing) * sums[:, 0])
            if label_smoothing:
                d -= sums * (label_smoothing / kernel.shape[1])
            scaled = tf.concat([hidden, tf.ones_like(scale)], axis=1) * scale
            d_weights = tf.matmul(scaled, d, transpose_a=True)  # the last row is the bias's gradient
            return tf.matmul(d, kernel, transpose_b=True) * scale, d_weights[:-1], d_weights[-1]

        return tf.tensordot(losses, weights, 1), gradient

    return fused(hidden, kernel, bias)
