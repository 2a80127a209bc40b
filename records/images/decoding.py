"""Image bytes to the pixels that a backbone sees, in TensorFlow operations alone.

    images, valid = decode_batch(tf.constant([jpeg_bytes, b"broken"]), 224)   # [2, 224, 224, 3], [True, False]

The same operations run inside make_records (`decode_and_resize`, or `decode_upright_jpeg` where it does the same) and
inside the exported SavedModel (`decode_batch`), so a served photo gets the features that a recorded one got, before
those were rounded to float16.

Whatever TensorFlow's own decoders cannot be trusted with is turned away by looking at the header first: images
larger than `records.images.limits` allows, and animated WebP, on which TensorFlow 2.21 corrupts its heap.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from records.images import headers, limits
from records.images.gif_frame import first_frame
from records.images.mirroring import mirrored

# A JPEG is decoded at 1/2, 1/4 or 1/8 while both sides stay at least so many times as long as the target (libjpeg then
# skips most of the inverse transform). Twice keeps the antialiased resize the step that decides the result.
_ENOUGH = 2
# Images in flight in decode_batch. Threads are as many as the host that runs the graph has cores, which the machine
# that traces it cannot know; short-lived pipelines end before tf.data's own tuning has found a number.
_PARALLEL_IMAGES = 64
# Images that take more than this are decoded one after another, or the memory of a batch would be that of all of them.
_SIDE_BY_SIDE_BYTES = 24 << 20
_STRIPE_PIXELS = 1 << 22

Decode = Callable[[tf.Tensor, int, tf.Tensor | int], tf.Tensor]


def decode_and_resize(image_bytes: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes one image and squashes it to the square that backbones take.

    JPEG (grey, RGB, CMYK), PNG (any depth), BMP (8, 24 and 32 bits), the first frame of a GIF and still WebP, turned
    upright by their EXIF orientation. Transparent pixels of PNG and WebP are laid over white, 16-bit channels keep
    their upper byte, the alpha byte of BMP (mostly unset) is ignored. The whole image is kept: no crop, aspect ratio
    lost, bilinear with antialiasing. An image that has this size already keeps its decoded values bit for bit. JPEGs of
    at least four times the size on both sides are decoded at a reduced scale.

    Damage inside a JPEG's compressed data that leaves its length right is invisible to TensorFlow's decoder.

    Args:
      image_bytes: string scalar, an encoded image.
      size: side of the square in pixels, the backbone's image_size.

    Returns:
      float32 [size, size, 3], RGB in 0..255.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, for bytes that are no such image, are truncated or
        corrupt, larger than `records.images.limits` allows, or an animated WebP.
    """
    return _decode_any(image_bytes, size, limits.MAX_DECODED_BYTES)


def _decode_any(image_bytes: tf.Tensor, size: int, most_bytes: tf.Tensor | int) -> tf.Tensor:
    """`decode_and_resize` of what takes at most so many bytes."""
    image_bytes = tf.convert_to_tensor(image_bytes, tf.string)
    header = headers.read_header(image_bytes)

    def when_small(of: headers.Size, read: Callable[[], tf.Tensor]) -> tf.Tensor:
        return _when(of.is_readable() & (of.bytes() <= most_bytes), read, size)

    def read_gif() -> tf.Tensor:
        gif_size, one_frame = first_frame(image_bytes)
        return when_small(gif_size, lambda: _read_gif(one_frame))

    def read_webp() -> tf.Tensor:
        # Here EXIF comes last, so the end is searched; eight bytes are the chunk's name and size.
        end = tf.strings.substr(image_bytes, -tf.minimum(tf.strings.length(image_bytes), headers.EXIF_SEARCH_BYTES),
                                headers.EXIF_SEARCH_BYTES)
        image = tf.cond(headers.webp_is_animated(header), lambda: _refuse("animated WebP", size),
                        lambda: when_small(headers.webp_size(header), lambda: _read_webp(image_bytes)))
        return _upright(image, headers.exif_orientation(end, b"EXIF", skip=4))

    readers: list[Callable[[], tf.Tensor]] = [
        lambda: _refuse("bytes are no JPEG, PNG, GIF, BMP or WebP image", size),
        lambda: _upright(_decode_jpeg(image_bytes, size, most_bytes),
                         headers.exif_orientation(headers.exif_part(image_bytes), b"Exif\0\0")),
        lambda: _upright(when_small(headers.png_size(image_bytes, header), lambda: _read_png(image_bytes)),
                         headers.exif_orientation(headers.exif_part(image_bytes), b"eXIf")),
        read_gif,
        lambda: when_small(headers.bmp_size(header), lambda: _read_bmp(image_bytes, header)),
        read_webp,
    ]
    return tf.ensure_shape(tf.switch_case(headers.kind(header), readers), [size, size, 3])


def decode_batch(image_bytes: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in parallel over the cores; an image that cannot be decoded spoils its own row only.

    A tf.data pipeline runs inside the graph: it is the one place where TensorFlow lets an element fail without
    failing the step. It works eagerly, in a tf.function, and in a SavedModel on any host.

    Args:
      image_bytes: string [B], encoded images; B may be 0.
      size: side in pixels of the squares, the backbone's image_size.

    Returns:
      images: float32 [B, size, size, 3], RGB in 0..255 as `decode_and_resize` gives them; zeros where not valid.
      valid: bool [B], False for an image that `decode_and_resize` refuses.
    """
    image_bytes = tf.convert_to_tensor(image_bytes, tf.string)
    plain = headers.is_jpeg_without_exif(image_bytes)
    images, valid = _decode_rows(image_bytes, plain, size, _SIDE_BY_SIDE_BYTES, _PARALLEL_IMAGES)

    def with_large() -> tuple[tf.Tensor, tf.Tensor]:
        """What did not decode among others is tried again alone: it is large, or no image."""
        row = tf.where(~valid)[:, 0]
        later, later_valid = _decode_rows(tf.gather(image_bytes, row), tf.gather(plain, row), size,
                                          limits.MAX_DECODED_BYTES, 1)
        return (tf.tensor_scatter_nd_update(images, row[:, None], later),
                tf.tensor_scatter_nd_update(valid, row[:, None], later_valid))

    images, valid = tf.cond(tf.reduce_all(valid), lambda: (images, valid), with_large)
    static = image_bytes.shape[0]
    return tf.ensure_shape(images, [static, size, size, 3]), tf.ensure_shape(valid, [static])


def _decode_rows(image_bytes: tf.Tensor, plain: tf.Tensor, size: int, most_bytes: int, parallel: int
                 ) -> tuple[tf.Tensor, tf.Tensor]:
    """Like `decode_batch`, of images that take at most so many bytes, so many of them side by side.

    Args:
      image_bytes: string [B].
      plain: bool [B], those for `decode_upright_jpeg`.
    """
    count = tf.size(image_bytes, out_type=tf.int64)

    def decoded(of: tf.Tensor, decode: Decode) -> tf.data.Dataset:
        row, function = tf.where(of)[:, 0], _traced_once(decode, size)
        rows = tf.data.Dataset.from_tensor_slices((row, tf.gather(image_bytes, row)))
        # Nothing to convert, and looking takes seconds.
        one = tf.autograph.experimental.do_not_convert(
            lambda row, data: (row, function(data, tf.constant(most_bytes, tf.int64))))
        return rows.map(one, num_parallel_calls=parallel).ignore_errors(log_warning=False)

    # One more row keeps the dataset from being empty, which get_single_element would take for an error.
    extra = tf.data.Dataset.from_tensors((count, tf.zeros([size, size, 3])))
    parts = decoded(plain, _decode_jpeg).concatenate(decoded(~plain, _decode_any)).concatenate(extra)
    rows, images = parts.batch(count + 1).get_single_element()
    shape = tf.stack([count + 1, size, size, 3])
    valid = tf.scatter_nd(rows[:, None], tf.ones_like(rows, tf.bool), [count + 1])[:-1]
    in_order = tf.reduce_all(valid) & tf.reduce_all(plain)
    images = tf.cond(in_order, lambda: images, lambda: tf.scatter_nd(rows[:, None], images, shape))[:-1]
    return images, valid


@functools.cache
def _traced_once(decode: Decode, size: int) -> Callable[[tf.Tensor, int], tf.Tensor]:
    """`decode` to squares of this size as one function of a graph: to trace its branches takes seconds each time.

    A concrete function, as the other kind is traced anew under another device.
    """
    return tf.function(lambda data, most_bytes: decode(data, size, most_bytes), autograph=False).get_concrete_function(
        tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int64))


def _refuse(reason: str, size: int) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(False, [reason])]):
        return tf.zeros([size, size, 3])


def _when(readable: tf.Tensor, read: Callable[[], tf.Tensor], size: int) -> tf.Tensor:
    """Resizes what `read` decodes if the header (bool scalar) says that it may."""
    return tf.cond(readable, lambda: _resize(read(), size),
                   lambda: _refuse("photo has no pixels, or is larger than the limits", size))


def _resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 [h, w, 3] to float32 [size, size, 3]."""
    fits = tf.reduce_all(tf.shape(image)[:2] == size)
    return tf.cond(fits, lambda: tf.cast(image, tf.float32),
                   lambda: tf.image.resize(image, [size, size], "bilinear", antialias=True))


def decode_upright_jpeg(image_bytes: tf.Tensor, size: int) -> tf.Tensor:
    """What `decode_and_resize` gives for a JPEG without EXIF, to the bit, in a fifth of its time.

    TensorFlow spends most of it on the branches that are not taken. So it pays to know beforehand what an image is.

    Args:
      image_bytes: string scalar.
      size: side of the square in pixels.

    Returns:
      float32 [size, size, 3], RGB in 0..255.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, as `decode_and_resize` does.
    """
    return _decode_jpeg(tf.convert_to_tensor(image_bytes, tf.string), size, limits.MAX_DECODED_BYTES)


def _decode_jpeg(image_bytes: tf.Tensor, size: int, most_bytes: tf.Tensor | int) -> tf.Tensor:
    height, width, channels = tf.unstack(tf.cast(tf.image.extract_jpeg_shape(image_bytes), tf.int64))
    scans, of = headers.jpeg_scans(image_bytes), headers.Size(height, width, channels)

    def decode(ratio: int) -> tf.Tensor:
        # INTEGER_ACCURATE: the decoder's default is faster by little, off by a few levels, and chosen by platform.
        return tf.io.decode_jpeg(image_bytes, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    side = tf.minimum(height, width)
    halvings = tf.add_n([tf.cast(side >= _ENOUGH * size * ratio, tf.int32) for ratio in (2, 4, 8)])
    readable = of.is_readable() & (scans <= limits.MAX_SCANS)
    # Several scans keep all coefficients, of two bytes each, and the picture is decoded at its reduced scale.
    coefficients = tf.where(scans > 1, 2 * of.bytes(), 0)
    decoded = of.bytes() // tf.cast(tf.bitwise.left_shift(1, 2 * halvings), tf.int64)
    readable &= (most_bytes >= limits.MAX_DECODED_BYTES) | (decoded + coefficients <= most_bytes)
    small = _when(readable, lambda: tf.switch_case(
        halvings, [lambda ratio=ratio: decode(ratio) for ratio in (1, 2, 4, 8)]), size)
    return tf.ensure_shape(small, [size, size, 3])


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation (int32 1..8) on a square image; squashing to a square commutes with it."""

    def turn() -> tf.Tensor:
        turned = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
        is_mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
        turned = tf.cond(is_mirrored, lambda: mirrored(turned), lambda: turned)
        return tf.cond(tf.reduce_any(orientation == [3, 4, 7, 8]), lambda: tf.reverse(turned, [0]), lambda: turned)

    return tf.cond(orientation == 1, lambda: image, turn)


def _in_stripes(image: tf.Tensor, convert: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """`convert` of uint8 [h, w, c] to uint8 [h, w, 3], some rows at a time where it would need much memory."""
    height, width = tf.unstack(tf.shape(image)[:2])
    rows = tf.maximum(_STRIPE_PIXELS // width, 1)
    count = -(-height // rows)

    def all_of_them() -> tf.Tensor:
        stripes = tf.TensorArray(tf.uint8, count, infer_shape=False, element_shape=[None, None, 3])
        _, stripes = tf.while_loop(
            lambda i, _: i < count, lambda i, done: (i + 1, done.write(i, convert(image[i * rows:(i + 1) * rows]))),
            (tf.constant(0), stripes), parallel_iterations=1)
        return stripes.concat()

    return tf.cond(count == 1, lambda: convert(image), all_of_them)


def _over_white(image: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 4], or [h, w, 2] of grey, to uint8 [h, w, 3]; opaque pixels keep their values exactly."""

    def blended(part: tf.Tensor) -> tf.Tensor:
        alpha, colours = tf.cast(part[..., -1:], tf.int32), tf.cast(part[..., :-1], tf.int32)
        return tf.cast((colours * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    def opaque(part: tf.Tensor) -> tf.Tensor:
        colours = tf.cond(tf.reduce_all(part[..., -1] == 255), lambda: part[..., :-1], lambda: blended(part))
        return tf.tile(colours, [1, 1, 3]) if part.shape[-1] == 2 else colours

    return _in_stripes(image, opaque)


def _read_png(image_bytes: tf.Tensor) -> tf.Tensor:
    # channels=0 keeps the file's own: asked for 4, TensorFlow adds an alpha of 1 instead of 255 to 1-bit images.
    image = tf.io.decode_png(image_bytes, channels=0)
    return tf.switch_case(tf.shape(image)[2] - 1, [
        lambda: tf.tile(image, [1, 1, 3]),
        lambda: _over_white(tf.ensure_shape(image, [None, None, 2])),
        lambda: image,
        lambda: _over_white(tf.ensure_shape(image, [None, None, 4])),
    ])


def _read_gif(image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(tf.io.decode_image(image_bytes, channels=3, expand_animations=False), [None, None, 3])


def _read_bmp(image_bytes: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_bmp(image_bytes, channels=0)

    def colours() -> tf.Tensor:
        # TensorFlow gives the 8-bit indices as grey; the palette (blue, green, red, unused) follows the header.
        start = tf.cast(14 + headers.little_endian(header[14:18]), tf.int32)
        palette = tf.io.decode_raw(tf.strings.substr(image_bytes, start, 1024), tf.uint8, fixed_length=1024)
        table = tf.reshape(palette, [256, 4])[:, 2::-1]
        return _in_stripes(image, lambda part: tf.gather(table, tf.cast(part[..., 0], tf.int32)))

    return tf.cond(tf.shape(image)[2] == 1, colours, lambda: image[..., :3])


def _read_webp(image_bytes: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_webp(image_bytes, channels=0)[0]
    return tf.cond(tf.shape(image)[2] == 4, lambda: _over_white(tf.ensure_shape(image, [None, None, 4])), lambda: image)
