"""The real positions of a padded batch, time-major and sorted by length, so that no arithmetic is spent on padding.

A batch has B rows of T1 = T + 1 positions: position 0 sees the image and predicts the first word, position t sees
word t and predicts the next one. Row b is real at its first `lengths[b]` positions. Packed order lists position 0 of
every row, then position 1 of every row that has one, and so on; within a time step longer rows come first, so the rows
alive at time t are the first `sizes[t]` of those alive before.

    lengths 2, 3 → packed (row 1, t 0), (row 0, t 0), (row 1, t 1), (row 0, t 1), (row 1, t 2); sizes 2, 2, 1

PyTorch's PackedSequence has the same order.
"""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Packing:
    """Where the N packed positions come from.

    Attributes:
      rows: int32 [n], batch rows with at least one real position, longest first.
      sizes: int32 [T1], rows alive at each time step; not increasing, may end in zeros.
      index: int32 [N], b * T1 + t of each packed position: its place in the flattened [B, T1] grid.
    """

    rows: tf.Tensor
    sizes: tf.Tensor
    index: tf.Tensor


def pack(mask: tf.Tensor) -> Packing:
    """Packing of a bool [B, T1] mask whose rows are runs of True followed by False."""
    positions = tf.shape(mask)[1]
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    alive = tf.transpose(tf.sequence_mask(tf.gather(lengths, order), positions))  # [T1, B]
    sizes = tf.reduce_sum(tf.cast(alive, tf.int32), axis=1)
    time, row = tf.unstack(tf.cast(tf.where(alive), tf.int32), axis=1)
    return Packing(rows=order[:sizes[0]], sizes=sizes, index=tf.gather(order, row) * positions + time)


def every_position(mask: tf.Tensor) -> Packing:
    """The whole [B, T1] grid, row by row, padding included: for kernels that need fixed shapes."""
    rows, positions = tf.shape(mask)[0], tf.shape(mask)[1]
    return Packing(rows=tf.range(rows), sizes=tf.fill([positions], rows), index=tf.range(rows * positions))
