"""Where the first frame of a GIF ends, in TensorFlow operations, and how large it is.

giflib reads all frames before it gives the first, each as large as it says itself, whatever the screen's size. So the
file is cut behind its first frame, which is all that is wanted of it.
"""

import tensorflow as tf

from records.images.headers import Size, little_endian

_HEADER, _DESCRIPTOR = 13, 10  # bytes of the file's header, and of a frame's
_EXTENSION, _FRAME = 0x21, 0x2C
_RUN = 4096
# A step passes a block's header or a run of sub-blocks of one length. Encoders fill each but the last with 255 bytes.
_MOST_STEPS = 10_000


def first_frame(image_bytes: tf.Tensor) -> tuple[Size, tf.Tensor]:
    """The size of a GIF's first frame or of its screen, whichever is more, and the file as if it had no other frame.

    Args:
      image_bytes: string scalar.

    Returns:
      The size, of height 0 where there is no whole frame, and string scalar.
    """
    data = tf.io.decode_raw(image_bytes, tf.uint8)
    count = tf.size(data, tf.int64)

    def number(position: tf.Tensor, size: int = 1) -> tf.Tensor:
        """int64 scalar; 0 behind the end."""
        part = tf.cast(data[tf.minimum(position, count):position + size], tf.int64)
        return little_endian(tf.ensure_shape(tf.pad(part, [[0, size - tf.size(part)]]), [size]))

    def table(flags: tf.Tensor) -> tf.Tensor:
        """Bytes of a table of colours."""
        return tf.where(flags >= 128, 3 * tf.bitwise.left_shift(tf.constant(2, tf.int64), flags % 8), 0)

    nothing = tf.constant(0, tf.int64)

    def header(at: tf.Tensor, frame: tf.Tensor) -> tuple[tf.Tensor, ...]:
        is_frame, is_extension = number(at) == _FRAME, number(at) == _EXTENSION
        after = tf.where(is_frame, at + _DESCRIPTOR + table(number(at + 9)) + 1, at + 2)
        end = tf.where(is_frame | is_extension, after, count)
        return end, is_frame | is_extension, tf.where(is_frame, at, frame), tf.constant(False)

    def sub_blocks(at: tf.Tensor, frame: tf.Tensor) -> tuple[tf.Tensor, ...]:
        length = number(at) + 1
        same = tf.cast(data[at:at + _RUN * length:length], tf.int64) == length - 1
        run = tf.where(tf.reduce_all(same), tf.size(same, tf.int64), tf.argmin(tf.cast(same, tf.uint8)))
        last = length == 1
        return tf.where(last, at + 1, at + run * length), ~last, frame, last & (frame > 0)

    def step(steps: tf.Tensor, at: tf.Tensor, inside: tf.Tensor, frame: tf.Tensor, _: tf.Tensor
             ) -> tuple[tf.Tensor, ...]:
        following = tf.cond(inside, lambda: sub_blocks(at, frame), lambda: header(at, frame))
        return steps + 1, *(tf.ensure_shape(value, []) for value in following)

    _, end, _, frame, whole = tf.while_loop(
        lambda steps, at, _, __, whole: ~whole & (at < count) & (steps < _MOST_STEPS), step,
        (tf.constant(0), _HEADER + table(number(nothing + 10)), tf.constant(False), nothing, tf.constant(False)))
    height = tf.maximum(number(frame + 7, 2), number(nothing + 8, 2))
    width = tf.maximum(number(frame + 5, 2), number(nothing + 6, 2))
    cut = tf.strings.join([tf.strings.substr(image_bytes, nothing, end), b";"])
    return Size(tf.where(whole, height, 0), width, 3), cut
