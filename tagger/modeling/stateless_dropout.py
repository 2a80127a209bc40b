"""Dropout that is a pure function of a seed and of the place in the global batch.

Keras's SeedGenerator state is in no checkpoint, and its masks depend on how a batch is split over replicas. Here the
random bytes of row r of the global batch at position t are always the same part of one Philox stream, whoever computes
them and however wide captions are padded there: a run restarted in the middle, or on another number of devices or
hosts, drops the same units.
"""

import dataclasses
import enum

import tensorflow as tf


class Stream(enum.IntEnum):
    """What random bytes are for: each purpose has a stream of its own under one seed."""

    MERGE = 0  # the units of the LSTM's outputs and of the hidden layer
    FEATURE = 1  # the numbers of the image feature
    WORD = 2  # the numbers of the word embeddings
    TAG = 3  # as MERGE, where tags are asked for
    SAMPLE = 4  # the words that sampled captions draw
    HEAD = 5  # as FEATURE, where a tag head reads it

    def of(self, seed: tf.Tensor) -> tf.Tensor:
        """The seed int32 [2] of this stream, from that of the training step, (seed, step)."""
        return seed + [self << 28, 0]


_PHILOX = 1  # tf.random.Algorithm.PHILOX: the same stream on CPU and GPU
_BYTES_PER_COUNTER = 16


@dataclasses.dataclass(frozen=True)
class Noise:
    """The random bytes of one training step for the rows of one replica.

    Attributes:
      seed: int32 [2], (seed, step).
      first_row: place of the replica's first row in the global batch.
      batch_rows: rows of the global batch.
    """

    seed: tf.Tensor
    first_row: tf.Tensor | int
    batch_rows: tf.Tensor | int

    def of_rows(self, stream: Stream, rows: tf.Tensor | int, width: int) -> tf.Tensor:
        """uint8 [rows, width], a function of the row alone."""
        return random_bytes(stream.of(self.seed), self.first_row, rows, _whole_counters(width))[:, :width]

    def of_positions(self, stream: Stream, positions: tf.Tensor | int, width: int) -> tf.Tensor:
        """uint8 [positions, batch_rows, width], time first; `[t, r]` belongs to position t of the replica's row r.

        A function of row and position alone, as every position has a place for all rows of the global batch. What lies
        beyond the replica's rows is to be left unused: skipping it would take a call for each position, and a device
        makes these bytes many times faster than it uses them.
        """
        count = positions * self.batch_rows
        table = random_bytes(stream.of(self.seed), self.first_row, count, _whole_counters(width))[:, :width]
        return tf.reshape(table, [positions, self.batch_rows, width])


def _whole_counters(width: int) -> int:
    """The next multiple of 16: a row begins with a counter of its own."""
    return -(-width // _BYTES_PER_COUNTER) * _BYTES_PER_COUNTER


def random_bytes(seed: tf.Tensor, first_row: tf.Tensor | int, rows: tf.Tensor | int, row_width: tf.Tensor | int
                 ) -> tf.Tensor:
    """Rows first_row … first_row + rows - 1 of an endless uint8 [∞, row_width] table that `seed` (int32 [2]) names.

    Args:
      row_width: bytes of a row, a multiple of 16.

    Returns:
      uint8 [rows, row_width].
    """
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    skip = tf.cast(first_row, tf.uint64) * tf.cast(row_width // _BYTES_PER_COUNTER, tf.uint64)
    counter = tf.stack([counter[0] + skip, counter[1]])
    words = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=tf.reshape(rows * row_width // 4, [1]), key=key, counter=counter, alg=_PHILOX, dtype=tf.uint32)
    return tf.reshape(tf.bitcast(words, tf.uint8), [rows, row_width])


def drop(x: tf.Tensor, noise: tf.Tensor, rate: float) -> tf.Tensor:
    """x with a share of its elements zeroed, chosen by the noise, and the rest scaled up to keep the mean.

    Args:
      x: [n, width]. noise: uint8 [n, width].
      rate: share of units dropped, in steps of 1/256, of which there are 1 to 255 unless it is 0.
    """
    threshold = min(max(round(rate * 256), 1), 255) if rate else 0
    keep = tf.cast(noise >= tf.constant(threshold, tf.uint8), x.dtype)
    return x * (keep * tf.cast(256 / (256 - threshold), x.dtype))
