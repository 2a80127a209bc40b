"""Photos as a trainable backbone sees them: another view in every epoch, or the whole photo for validation.

    numbers = view_numbers(epoch_seed, key)
    view = augment(jpeg, 224, Augmentation(), numbers, may_mirror=True)      # uint8 [224, 224, 3]

A view is a pure function of (seed, epoch, key), so a run that was interrupted sees what it would have seen. Only the
part of a JPEG that a view shows is decoded, at 1/2, 1/4 or 1/8 where that is enough, and what leaves is uint8: a
quarter of the bytes of float32 on the way to the device, which normalises them.

The crop is Inception's (Szegedy et al., "Going deeper with convolutions", 2015): a share of the area, its two sides by
a random ratio of 3:4 to 4:3. It is taken in shares of the photo's own sides and then squashed to a square, because that
is what happens to whole photos when features are computed.

Images are those that make_records stores: upright JPEG, or PNG of 8 bits.
"""

import dataclasses
import math

import tensorflow as tf

from records.images import limits
from records.images.decoding import decode_and_resize, decode_upright_jpeg
from records.images.mirroring import mirrored

_RATIO = 4 / 3
# Shrunk by more than this, a pixel is the mean of all that it covers, or fine patterns would turn into coarse ones. It
# takes half as long again as the resize alone; tf.image.resize with antialias=True takes four times as long.
_LEAST_AVERAGED = 2
_NUMBERS = 7  # random numbers of a view: area, ratio, x, y, mirror, brightness, saturation
_LUMA = (0.299, 0.587, 0.114)  # of RGB, ITU-R BT.601
_HASHES = (1 << 31) - 1


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far views may be from the photo.

    Attributes:
      smallest_crop: least share of the photo's area that a view shows; 1 always shows all of it.
      mirror: whether half of the views are mirrored, where the caller allows it.
      brightness, saturation: views are brighter or paler by a factor of 1 - x to 1 + x; 0 leaves them as they are.
    """

    smallest_crop: float = 0.5
    mirror: bool = True
    brightness: float = 0.0
    saturation: float = 0.0


def view_numbers(seed: tf.Tensor | int, key: tf.Tensor) -> tf.Tensor:
    """What decides a photo's view: float32 [7] in [0, 1), from a word of the epoch and the photo's key (string scalar).
    """
    name = tf.strings.to_hash_bucket_fast(key, _HASHES)
    return tf.random.stateless_uniform([_NUMBERS], tf.stack([tf.cast(seed, tf.int64), name]), alg="philox")


def augment(image: tf.Tensor, size: int, augmentation: Augmentation, numbers: tf.Tensor, may_mirror: tf.Tensor | bool
            ) -> tf.Tensor:
    """One view of an encoded photo.

    Args:
      image: string scalar, upright JPEG or PNG as records store it.
      size: side of the square in pixels.
      numbers: float32 [7] of `view_numbers`.
      may_mirror: bool scalar; False where the captions say left or right.

    Returns:
      uint8 [size, size, 3], RGB.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, for bytes that cannot be decoded.
    """
    area, ratio, x, y, mirror, brightness, saturation = tf.unstack(numbers)
    share = augmentation.smallest_crop + (1 - augmentation.smallest_crop) * area
    stretch = tf.exp((2 * ratio - 1) * (math.log(_RATIO) / 2 if augmentation.smallest_crop < 1 else 0.0))
    width, height = (tf.minimum(tf.sqrt(share) * factor, 1.0) for factor in (stretch, 1 / stretch))
    pixels = _part(image, size, tf.stack([y * (1 - height), x * (1 - width), height, width]))
    if augmentation.brightness:
        pixels = tf.minimum(pixels * (1 + augmentation.brightness * (2 * brightness - 1)), 255)
    if augmentation.saturation:
        pixels = _saturated(pixels, 1 + augmentation.saturation * (2 * saturation - 1))
    if augmentation.mirror:
        pixels = tf.cond(tf.logical_and(mirror < 0.5, may_mirror), lambda: mirrored(pixels), lambda: pixels)
    return _to_uint8(pixels)


def whole(image: tf.Tensor, size: int) -> tf.Tensor:
    """The photo itself, squashed to uint8 [size, size, 3]: what validation looks at, and features are computed of.

    The pixels are those of records.images.decoding, rounded. Arguments as of `augment`.
    """
    return _to_uint8(tf.cond(_is_jpeg(image), lambda: decode_upright_jpeg(image, size),
                             lambda: decode_and_resize(image, size)))


def _saturated(pixels: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """float32 [S, S, 3] in 0..255: so many times as far from their grey as `pixels` are.

    As a product with a 3 x 3 matrix it takes a third of the time of the same sums by broadcasting.
    """
    matrix = factor * tf.eye(3) + (1 - factor) * tf.tile(tf.constant(_LUMA)[:, tf.newaxis], [1, 3])
    return tf.clip_by_value(tf.reshape(tf.reshape(pixels, [-1, 3]) @ matrix, pixels.shape), 0, 255)


def _is_jpeg(image: tf.Tensor) -> tf.Tensor:
    return tf.equal(tf.strings.substr(image, 0, 3), b"\xff\xd8\xff")


def _to_uint8(pixels: tf.Tensor) -> tf.Tensor:
    return tf.cast(pixels + 0.5, tf.uint8)  # a mean of values in 0..255 is in 0..255


def _part(image: tf.Tensor, size: int, window: tf.Tensor) -> tf.Tensor:
    """float32 [size, size, 3] of a window (y, x, height, width, in shares of the photo's sides)."""
    pixels = tf.cond(_is_jpeg(image), lambda: _part_of_jpeg(image, size, window), lambda: _part_of_png(image, window))
    pixels = tf.ensure_shape(pixels, [None, None, 3])
    resized = tf.cond(tf.reduce_max(tf.shape(pixels)[:2]) > _LEAST_AVERAGED * size,
                      lambda: tf.image.resize(pixels, [size, size], "area"),
                      lambda: tf.image.resize(pixels, [size, size], "bilinear"))
    return tf.ensure_shape(resized, [size, size, 3])


def _box(sides: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    """int32 [4], top, left, height and width in pixels of an image of int32 [2] sides, at least a pixel each."""
    exact = tf.cast(sides, tf.float32)
    extent = tf.clip_by_value(tf.cast(tf.round(window[2:] * exact), tf.int32), 1, sides)
    corner = tf.clip_by_value(tf.cast(tf.round(window[:2] * exact), tf.int32), 0, sides - extent)
    return tf.concat([corner, extent], 0)


def _part_of_jpeg(image: tf.Tensor, size: int, window: tf.Tensor) -> tf.Tensor:
    sides = tf.image.extract_jpeg_shape(image)[:2]
    shown = tf.reduce_min(window[2:] * tf.cast(sides, tf.float32))
    halvings = tf.add_n([tf.cast(shown >= size * scale, tf.int32) for scale in (2, 4, 8)])

    def decode(scale: int) -> tf.Tensor:
        box = _box(-(-sides // scale), window)  # libjpeg rounds the sides of a reduced image up
        return tf.image.decode_and_crop_jpeg(image, box, channels=3, ratio=scale, dct_method="INTEGER_ACCURATE")

    small = tf.debugging.Assert(tf.reduce_prod(tf.cast(sides, tf.int64)) <= limits.MAX_PIXELS, ["photo is too large"])
    with tf.control_dependencies([small]):
        return tf.switch_case(halvings, [lambda scale=scale: decode(scale) for scale in (1, 2, 4, 8)])


def _part_of_png(image: tf.Tensor, window: tf.Tensor) -> tf.Tensor:
    pixels = tf.io.decode_png(image, channels=3)
    top, left, height, width = tf.unstack(_box(tf.shape(pixels)[:2], window))
    return pixels[top:top + height, left:left + width]
