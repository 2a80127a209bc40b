"""Softmax cross-entropy of the output layer, fused: loss and every gradient from one pass over the logits.

With a vocabulary of tens of thousands this layer is most of the arithmetic and nearly all of the memory traffic of a
step. Against `tf.nn.sparse_softmax_cross_entropy_with_logits` on a Dense layer, on a CPU this saves:

- Memory. Positions go through in chunks whose logits fit into the cache; loss and gradients of a chunk are finished
  before the next one starts.
- A pass to subtract the row's largest logit. Exponentials are taken of the logits as they are, and only where a row
  leaves float32's range everything is done again relative to the largest. A quotient of exponentials is as exact at
  any scale inside the range.
- A pass to normalise. Both products of the gradient need exp(row) / sum, and the division moves to the narrow factor:
  [n, H] instead of [n, V]. The target's -1 is put in place, into n elements.
"""

from typing import NamedTuple

import tensorflow as tf

_CHUNK_ELEMENTS = 5_000_000  # logits of a chunk: 20 MB, below glibc's 32 MB from which every allocation is new pages
_LEAST_ROWS = 64  # of a chunk, however large the vocabulary
_TINY, _HUGE = 1e-30, 1e30  # of float32's range, with room for sums and for the product with the target


def softmax_loss(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor,
                 weights: tf.Tensor | None = None, label_smoothing: float = 0.0, chunked: bool = True,
                 soft: tf.Tensor | None = None, soft_share: float = 0.0, product_dtype: tf.DType = tf.float32
                 ) -> tf.Tensor:
    """Sum over positions of weight times cross-entropy between softmax(hidden @ kernel + bias) and the target.

    The target of a position is 1 - label_smoothing - soft_share at the true class, and the two shares as below.

    Args:
      hidden: [N, H], any float dtype; the arithmetic is float32, but for the products.
      kernel: float32 [H, V]. bias: float32 [V].
      targets: int32 [N], the true classes.
      weights: float32 [N], or None for ones. Negative ones are allowed: a policy gradient needs them.
      label_smoothing: share of each target's probability that is spread evenly over all V classes.
      chunked: the form for CPUs; False is one chunk without a loop or a condition, for GPUs and XLA.
      soft: float32 [N, V], distributions such as a teacher's, which get `soft_share` of the target.
      product_dtype: what matrices are multiplied in; bfloat16 rounds logits to 8 bits, and leaves normaliser, loss and
        sums over chunks in float32.

    Returns:
      float32 scalar. Differentiable by hidden, kernel and bias, once.
    """
    weights = tf.ones_like(targets, tf.float32) if weights is None else weights
    shares = label_smoothing, 0.0 if soft is None else soft_share

    @tf.custom_gradient
    def fused(hidden, kernel, bias):
        layer = _Layer.of(kernel, bias, product_dtype)
        if chunked:
            *plain, in_range = _in_chunks(hidden, layer, targets, weights, soft, shares, False)
            loss, d_hidden, d_weights = tf.cond(
                in_range, lambda: tuple(plain),
                lambda: _in_chunks(hidden, layer, targets, weights, soft, shares, True)[:3])
        else:
            loss, d_hidden, d_weights, _ = _part(hidden, layer, targets, weights, soft, shares, True)

        def gradient(upstream):
            return upstream * d_hidden, upstream * d_weights[:-1], upstream * d_weights[-1]

        return loss, gradient

    return fused(tf.cast(hidden, tf.float32), kernel, bias)


def softmax_loss_value(hidden: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor,
                       weights: tf.Tensor | None = None) -> tf.Tensor:
    """What `softmax_loss` returns, without the work for its gradients."""
    logits = tf.nn.bias_add(tf.matmul(tf.cast(hidden, tf.float32), kernel), bias)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    return tf.reduce_sum(losses if weights is None else losses * weights)


class _Layer(NamedTuple):
    """The output layer as its products take it: made once, not for each chunk.

    Attributes:
      kernel: [H, V], transposed: [V, H], bias: [V]; of the products' dtype.
    """

    kernel: tf.Tensor
    transposed: tf.Tensor  # a product would pack it anew for each chunk
    bias: tf.Tensor

    @staticmethod
    def of(kernel: tf.Tensor, bias: tf.Tensor, dtype: tf.DType) -> "_Layer":
        kernel = tf.cast(kernel, dtype)
        return _Layer(kernel, tf.transpose(kernel), tf.cast(bias, dtype))


def _part(hidden, layer, targets, weights, soft, shares, relative):
    """Of some positions: loss, its gradients by hidden [n, H] and by kernel and bias [H + 1, V], all in range."""
    dtype, classes, (smoothing, soft_share) = layer.kernel.dtype, layer.kernel.shape[1], shares
    hard_share = 1 - smoothing - soft_share
    logits = tf.cast(tf.nn.bias_add(tf.matmul(tf.cast(hidden, dtype), layer.kernel), layer.bias), tf.float32)
    shift = tf.reduce_max(logits, axis=1, keepdims=True) if relative else 0.0
    expected = 0.0  # of the logits, under the part of the target that is no single class
    if smoothing:
        expected += smoothing * tf.reduce_mean(logits - shift, axis=1)
    if soft is not None:
        expected += soft_share * tf.reduce_sum(soft * (logits - shift), axis=1)
    at_target = tf.stack([tf.range(tf.shape(targets)[0]), targets], axis=1)
    target_logits = tf.gather_nd(logits - shift, at_target) if relative else None
    exponentials = tf.exp(logits - shift) if relative else tf.exp(logits)
    sums = tf.reduce_sum(exponentials, axis=1, keepdims=True)
    of_target = tf.gather_nd(exponentials, at_target)
    if target_logits is None:
        target_logits = tf.math.log(of_target)
        in_range = tf.reduce_all((sums < _HUGE) & (of_target[:, tf.newaxis] > _TINY))
    else:
        in_range = tf.constant(True)
    losses = tf.math.log(sums[:, 0]) - (hard_share * target_logits + expected)

    # d_logits = weight * (exp / sum - target probability) = weight / sum * (exp - sum * target probability)
    scale = weights[:, tf.newaxis] / sums
    d = exponentials
    if smoothing:
        d -= sums * (smoothing / classes)
    if soft is not None:
        d -= sums * (soft_share * soft)
    if smoothing or soft is not None:
        of_target = tf.gather_nd(d, at_target)
    d = tf.tensor_scatter_nd_update(tf.cast(d, dtype), at_target, tf.cast(of_target - hard_share * sums[:, 0], dtype))
    scaled = tf.cast(tf.concat([hidden, tf.ones_like(scale)], axis=1) * scale, dtype)
    d_weights = tf.cast(tf.matmul(scaled, d, transpose_a=True), tf.float32)
    d_hidden = tf.cast(tf.matmul(d, layer.transposed), tf.float32) * scale
    return tf.tensordot(losses, weights, 1), d_hidden, d_weights, in_range


def _in_chunks(hidden, layer, targets, weights, soft, shares, relative):
    """`_part` of all positions, added up over chunks of about equal size."""
    count, classes = tf.shape(hidden)[0], layer.kernel.shape[1]
    most = max(_CHUNK_ELEMENTS // classes, _LEAST_ROWS)
    chunks = -(-count // most)
    size = -(-count // tf.maximum(chunks, 1))

    def body(i, loss, d_hidden, d_weights, in_range):
        rows = slice(i * size, (i + 1) * size)
        more = _part(hidden[rows], layer, targets[rows], weights[rows],
                     None if soft is None else soft[rows], shares, relative)
        return i + 1, loss + more[0], d_hidden.write(i, more[1]), d_weights + more[2], in_range & more[3]

    start = (0, tf.constant(0.0), tf.TensorArray(
        tf.float32, size=chunks, element_shape=tf.TensorShape([None, hidden.shape[1]]), infer_shape=False),
        tf.zeros([hidden.shape[1] + 1, classes]), tf.constant(True))
    _, loss, d_hidden, d_weights, in_range = tf.while_loop(
        lambda i, *_: i < chunks, body, start, parallel_iterations=1)
    return loss, d_hidden.concat(), d_weights, in_range
