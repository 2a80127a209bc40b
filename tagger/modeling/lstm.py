"""A causal LSTM over packed positions, with a backward pass written by hand; and over whole grids of them.

The equations and the gate order (input, forget, candidate, output) are those of keras.layers.LSTM with its defaults,
so the same kernel, recurrent kernel and bias serve all. Why not the layer itself on a CPU: here all input projections
are one matrix product, finished rows drop out of the recurrence instead of being masked, and the gradient of the
recurrent kernel is one matrix product at the end instead of a sum over time steps. On a GPU, its kernels of cuDNN are
called directly: time first, as they want it, and in half precision, for which the layer has no initial state.

Hochreiter & Schmidhuber, "Long Short-Term Memory", 1997.
"""

import enum
from typing import NamedTuple

import tensorflow as tf

from tagger.modeling.products import product


class Recurrence(enum.StrEnum):
    """How a MergeModel runs its LSTM over captions, and which shapes the rest of the step may have then.

    Right-padding needs no mask in a causal LSTM.
    """

    PACKED = "packed"  # without padding: the fastest on a CPU
    CUDNN = "cudnn"  # all B * T1 positions, padding included, with the kernels of a GPU
    LOOP = "loop"  # likewise, in operations that XLA compiles

    @property
    def fixed_shapes(self) -> bool:
        """Whether no shape may depend on how many positions of a batch are real."""
        return self is Recurrence.LOOP

    @property
    def cache_sized_chunks(self) -> bool:
        """Whether the softmax over the vocabulary goes through chunks that fit into the cache of a CPU."""
        return self is Recurrence.PACKED


class Activations(NamedTuple):
    """What an LSTM computes at N packed positions.

    Attributes:
      outputs: [N, U]. cells: [N, U], states after the position. gates: [N, 4U], after their activation functions.
    """

    outputs: tf.Tensor
    cells: tf.Tensor
    gates: tf.Tensor


def cell(z: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """One LSTM step from pre-activations z [n, 4U] and cell state c [n, U]: new h, new c, activated gates [n, 4U]."""
    i, f, g, o = tf.split(z, 4, axis=1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * c + i * g
    return o * tf.tanh(c), c, tf.concat([i, f, g, o], axis=1)


def recurrence_for(on_gpu: bool, xla: bool = False) -> Recurrence:
    """Which of them suits the device and the compiler."""
    return Recurrence.LOOP if xla else Recurrence.CUDNN if on_gpu else Recurrence.PACKED


def packed_lstm(x: tf.Tensor, place: tf.Tensor, sizes: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor,
                bias: tf.Tensor, passed: Activations | None = None, product_dtype: tf.DType = tf.float32) -> tf.Tensor:
    """The LSTM's output at every packed position, starting from zero state.

    Args:
      x: [M, I], the inputs, each once: a word that several positions read is multiplied by the kernel once.
      place: int32 [N], which of them each position reads, in packed order (tagger.modeling.packed_sequence).
      sizes: int32 [T1], rows alive at each time step; their sum is N.
      kernel: [I, 4U]. recurrent: [U, 4U]. bias: [4U].
      passed: what the forward pass of these inputs gives, where it has been made already.
      product_dtype: what matrices are multiplied in.

    Returns:
      [N, U] outputs in packed order, of x's dtype.
    """
    sizes = tf.stop_gradient(sizes)
    steps = tf.math.count_nonzero(sizes, dtype=tf.int32)
    offsets = tf.cumsum(sizes, exclusive=True)

    @tf.custom_gradient
    def lstm(x, kernel, recurrent, bias):
        forward = passed or _forward(project(x, kernel, bias, product_dtype), place, sizes, offsets, steps,
                                     tf.cast(recurrent, product_dtype))

        def gradient(d_outputs):
            first = sizes[0]
            # Packed place of the same row one step earlier, for every position after the first step.
            previous = tf.range(first, tf.shape(place)[0]) - tf.repeat(sizes[:-1], sizes[1:])
            # Transposed once: a product packs a transposed operand again every time, which takes longer than itself.
            transposed = tf.transpose(tf.cast(recurrent, product_dtype))
            d_z = _backward(d_outputs, sizes, offsets, steps, transposed, forward, previous)
            d_recurrent = product(tf.gather(forward.outputs, previous), d_z[first:], product_dtype, transpose_a=True)
            d_projected = tf.math.unsorted_segment_sum(d_z, place, tf.shape(x)[0])
            return (product(d_projected, tf.transpose(kernel), product_dtype),
                    product(x, d_projected, product_dtype, transpose_a=True), d_recurrent,
                    tf.reduce_sum(d_projected, axis=0))

        return forward.outputs, gradient

    return lstm(x, kernel, recurrent, bias)


def project(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, product_dtype: tf.DType) -> tf.Tensor:
    """What inputs [n, I] add to the pre-activations, [n, 4U]."""
    return tf.nn.bias_add(product(x, kernel, product_dtype), bias)


def cudnn_lstm(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """The LSTM's outputs [T1, B, U] for inputs [T1, B, I], starting from zero state, by cuDNN: on GPUs only.

    Arguments but x as of packed_lstm; all of x's dtype. Of bfloat16, TensorFlow 2.21's kernel returns gradients that
    have nothing to do with the inputs, so that is computed in float32.
    """
    if x.dtype == tf.bfloat16:
        single = (tf.cast(value, tf.float32) for value in (x, kernel, recurrent, bias))
        return tf.cast(cudnn_lstm(*single), tf.bfloat16)
    # cuDNN's parameters are transposed, and have a second bias, for the input.
    gates = [*tf.split(kernel, 4, axis=1), *tf.split(recurrent, 4, axis=1)]
    matrices = [tf.reshape(tf.transpose(gate), [-1]) for gate in gates]
    parameters = tf.concat([*matrices, tf.zeros_like(bias), bias], axis=0)
    zero = tf.zeros([1, tf.shape(x)[1], recurrent.shape[0]], x.dtype)
    lengths = tf.fill([tf.shape(x)[1]], tf.shape(x)[0])
    outputs, *_ = tf.raw_ops.CudnnRNNV3(
        input=x, input_h=zero, input_c=zero, params=parameters, sequence_lengths=lengths, rnn_mode="lstm",
        is_training=True, time_major=True)
    return outputs


def loop_lstm(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """What cudnn_lstm returns, on any device, as a loop whose shapes do not change: XLA can compile it."""
    steps, rows = tf.shape(x)[0], tf.shape(x)[1]
    projected = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, x.shape[2]]), kernel), bias)
    projected = tf.reshape(projected, [steps, rows, bias.shape[0]])
    zero = tf.zeros([rows, recurrent.shape[0]], x.dtype)

    def body(t, h, c, outputs):
        h, c, _ = cell(projected[t] + tf.matmul(h, recurrent), c)
        return t + 1, h, c, outputs.write(t, h)

    outputs = tf.TensorArray(x.dtype, size=steps, element_shape=[None, recurrent.shape[0]])
    *_, outputs = tf.while_loop(lambda t, *_: t < steps, body, (0, zero, zero, outputs), maximum_iterations=steps)
    return outputs.stack()


def _array(size: tf.Tensor, dtype: tf.DType, width: int) -> tf.TensorArray:
    return tf.TensorArray(dtype, size=size, element_shape=tf.TensorShape([None, width]), infer_shape=False)


def _forward(projected, place, sizes, offsets, steps, recurrent) -> Activations:
    """Runs the recurrence over what `place` takes from `projected`."""
    dtype, units, product_dtype = projected.dtype, recurrent.shape[0], recurrent.dtype

    def body(t, h, c, outputs, cells, gates):
        n, start = sizes[t], offsets[t]
        z = tf.gather(projected, place[start:start + n]) + product(h[:n], recurrent, product_dtype)
        h, c, activated = cell(z, c[:n])
        return t + 1, h, c, outputs.write(t, h), cells.write(t, c), gates.write(t, activated)

    rows = tf.TensorShape([None, units])
    zero = tf.zeros([sizes[0], units], dtype)
    *_, outputs, cells, gates = tf.while_loop(
        lambda t, *_: t < steps, body,
        (0, zero, zero, _array(steps, dtype, units), _array(steps, dtype, units), _array(steps, dtype, 4 * units)),
        shape_invariants=(tf.TensorShape([]), rows, rows) + 3 * (tf.TensorShape(None),))
    return Activations(outputs.concat(), cells.concat(), gates.concat())


def _backward(d_outputs, sizes, offsets, steps, transposed, forward, previous):
    """Gradient of the pre-activations, packed [N, 4U].

    All that does not depend on the recurrence is computed for every position at once; the loop is left with the
    chain through time: d_h from the step after, d_c from the step after.
    """
    dtype, units = d_outputs.dtype, transposed.shape[1]
    i, f, g, o = tf.split(forward.gates, 4, axis=1)
    squashed = tf.tanh(forward.cells)
    c_before = tf.concat([tf.zeros([sizes[0], units], dtype), tf.gather(forward.cells, previous)], axis=0)
    sigmoid, tanh = tf.raw_ops.SigmoidGrad, tf.raw_ops.TanhGrad  # dy y (1 - y) and dy (1 - y²), each in one pass
    c_from_h = tanh(y=squashed, dy=o)
    # Pre-activation gradients are these factors times d_c (first three gates) or d_h (the output gate).
    factors = tf.concat([sigmoid(y=i, dy=g), sigmoid(y=f, dy=c_before), tanh(y=g, dy=i), sigmoid(y=o, dy=squashed)],
                        axis=1)

    def body(t, d_h, d_c, d_z):
        n, start = sizes[t], offsets[t]
        newly_alive = [[0, n - tf.shape(d_h)[0]], [0, 0]]  # rows whose last position is t
        d_h = tf.pad(d_h, newly_alive) + d_outputs[start:start + n]
        d_c = tf.pad(d_c, newly_alive) + d_h * c_from_h[start:start + n]
        d_z_t = tf.concat([d_c, d_c, d_c, d_h], axis=1) * factors[start:start + n]
        return (t - 1, product(d_z_t, transposed, transposed.dtype), d_c * f[start:start + n], d_z.write(t, d_z_t))

    rows = tf.TensorShape([None, units])
    nothing = tf.zeros([0, units], dtype)
    *_, d_z = tf.while_loop(
        lambda t, *_: t >= 0, body, (steps - 1, nothing, nothing, _array(steps, dtype, 4 * units)),
        shape_invariants=(tf.TensorShape([]), rows, rows, tf.TensorShape(None)))
    return d_z.concat()
