"""Image bytes to the pixels that a backbone sees, in TensorFlow operations alone.

    images, valid = decode_batch(tf.constant([jpeg_bytes, b"broken"]))   # [2, 224, 224, 3], [True, False]

The same operations run inside make_records (`decode_and_resize`, or `decode_upright_jpeg` where it does the same) and
inside the exported SavedModel (`decode_batch`), so a served photo gets the features that a recorded one got, before
those were rounded to float16.

Whatever TensorFlow's own decoders cannot be trusted with is turned away by looking at the header first: images
whose size would exhaust memory, and animated WebP, on which TensorFlow 2.21 corrupts its heap.
"""

from collections.abc import Callable

import tensorflow as tf

IMAGE_SIZE = 224
# Larger images are refused from their header, before a byte of pixels is allocated.
MAX_PIXELS = 100_000_000
# A JPEG is decoded at 1/2, 1/4 or 1/8 while both sides stay at least this long (libjpeg then skips most of the
# inverse transform). Twice the target keeps the antialiased resize the step that decides the result.
_ENOUGH_PIXELS = 2 * IMAGE_SIZE
_HEADER_BYTES = 64
# Images in flight in decode_batch. Threads are as many as the host that runs the graph has cores, which the machine
# that traces it cannot know; short-lived pipelines end before tf.data's own tuning has found a number.
_PARALLEL_IMAGES = 64
# EXIF comes first in a JPEG, by its standard; colour profiles and XMP that tools put before it fit as well.
_EXIF_SEARCH_BYTES = 8192
_EXIF_MAX_ENTRIES = 64
_EXIF_ORIENTATION_TAG = 0x0112

_UNKNOWN, _JPEG, _PNG, _GIF, _BMP, _WEBP = range(6)


def decode_and_resize(image_bytes: tf.Tensor) -> tf.Tensor:
    """Decodes one image and squashes it to the square that backbones take.

    JPEG (grey, RGB, CMYK), PNG (any depth), BMP (8, 24 and 32 bits), the first frame of a GIF and still WebP, turned
    upright by their EXIF orientation. Transparent pixels of PNG and WebP are laid over white, 16-bit channels keep
    their upper byte, the alpha byte of BMP (mostly unset) is ignored. The whole image is kept: no crop, aspect ratio
    lost, bilinear with antialiasing. An image that is 224x224 already keeps its decoded values bit for bit. JPEGs of
    at least twice 448 on both sides are decoded at a reduced scale.

    Damage inside a JPEG's compressed data that leaves its length right is invisible to TensorFlow's decoder.

    Args:
      image_bytes: string scalar, an encoded image.

    Returns:
      float32 [224, 224, 3], RGB in 0..255.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, for bytes that are no such image, are truncated or
        corrupt, hold more than MAX_PIXELS pixels, or are an animated WebP.
    """
    image_bytes = tf.convert_to_tensor(image_bytes, tf.string)
    header = tf.cast(tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=_HEADER_BYTES), tf.int64)
    kind = _kind(header)
    readers: list[Callable[[], tf.Tensor]] = [
        lambda: _refuse("bytes are no JPEG, PNG, GIF, BMP or WebP image"),
        lambda: _read_jpeg(image_bytes),
        lambda: _upright(_when_small(_png_pixels(header), lambda: _read_png(image_bytes)),
                         _exif_orientation(tf.strings.substr(image_bytes, 0, _EXIF_SEARCH_BYTES), b"eXIf")),
        lambda: _when_small(_gif_pixels(header), lambda: _first_gif_frame(image_bytes)),
        lambda: _when_small(_bmp_pixels(header), lambda: _read_bmp(image_bytes, header)),
        lambda: _read_webp(image_bytes, header),
    ]
    return tf.ensure_shape(tf.switch_case(kind, readers), [IMAGE_SIZE, IMAGE_SIZE, 3])


def decode_batch(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in parallel over the cores; an image that cannot be decoded spoils its own row only.

    A tf.data pipeline runs inside the graph: it is the one place where TensorFlow lets an element fail without
    failing the step. It works eagerly, in a tf.function, and in a SavedModel on any host.

    Args:
      image_bytes: string [B], encoded images; B may be 0.

    Returns:
      images: float32 [B, 224, 224, 3], RGB in 0..255 as `decode_and_resize` gives them; zeros where not valid.
      valid: bool [B], False for an image that `decode_and_resize` refuses.
    """
    image_bytes = tf.convert_to_tensor(image_bytes, tf.string)
    count, plain = tf.size(image_bytes, out_type=tf.int64), _is_jpeg_without_exif(image_bytes)

    def decoded(of: tf.Tensor, decode: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
        row = tf.where(of)[:, 0]
        rows = tf.data.Dataset.from_tensor_slices((row, tf.gather(image_bytes, row)))
        decode = tf.autograph.experimental.do_not_convert(decode)  # nothing to convert, and looking takes seconds
        images = rows.map(lambda row, data: (row, decode(data)), num_parallel_calls=_PARALLEL_IMAGES)
        return images.ignore_errors(log_warning=False)

    # One more row keeps the dataset from being empty, which get_single_element would take for an error.
    extra = tf.data.Dataset.from_tensors((count, tf.zeros([IMAGE_SIZE, IMAGE_SIZE, 3])))
    parts = decoded(plain, decode_upright_jpeg).concatenate(decoded(~plain, decode_and_resize)).concatenate(extra)
    rows, images = parts.batch(count + 1).get_single_element()
    shape = tf.stack([count + 1, IMAGE_SIZE, IMAGE_SIZE, 3])
    valid = tf.scatter_nd(rows[:, None], tf.ones_like(rows, tf.bool), [count + 1])[:-1]
    in_order = tf.reduce_all(valid) & tf.reduce_all(plain)
    images = tf.cond(in_order, lambda: images, lambda: tf.scatter_nd(rows[:, None], images, shape))[:-1]
    static = image_bytes.shape[0]
    return tf.ensure_shape(images, [static, IMAGE_SIZE, IMAGE_SIZE, 3]), tf.ensure_shape(valid, [static])


def _is_jpeg_without_exif(image_bytes: tf.Tensor) -> tf.Tensor:
    """bool [B], whether `decode_upright_jpeg` does for each of string [B] what `decode_and_resize` does."""
    begin = tf.strings.substr(image_bytes, 0, _EXIF_SEARCH_BYTES)
    # \C is any byte; RE2's dot would stop at one that is no UTF-8.
    return ((tf.strings.substr(begin, 0, 3) == b"\xff\xd8\xff")
            & ~tf.strings.regex_full_match(begin, r"\C*Exif\x00\x00\C*"))


def _kind(header: tf.Tensor) -> tf.Tensor:
    """int32 scalar: which decoder the first bytes (int64 [64]) call for."""

    def starts(prefix: bytes, offset: int = 0) -> tf.Tensor:
        return tf.reduce_all(header[offset:offset + len(prefix)] == list(prefix))

    kinds = {_JPEG: starts(b"\xff\xd8\xff"), _PNG: starts(b"\x89PNG\r\n\x1a\n"), _GIF: starts(b"GIF8"),
             _BMP: starts(b"BM"), _WEBP: starts(b"RIFF") & starts(b"WEBP", 8)}
    return tf.add_n([tf.cast(match, tf.int32) * kind for kind, match in kinds.items()])


def _refuse(reason: str) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(False, [reason])]):
        return tf.zeros([IMAGE_SIZE, IMAGE_SIZE, 3])


def _when_small(pixels: tf.Tensor, read: Callable[[], tf.Tensor]) -> tf.Tensor:
    """Resizes what `read` decodes if `pixels` (int64, from the header) is a size to trust."""
    return tf.cond((pixels > 0) & (pixels <= MAX_PIXELS), lambda: _resize(read()),
                   lambda: _refuse(f"image has no pixels or more than {MAX_PIXELS:,}"))


def _resize(image: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 3] to float32 [224, 224, 3]."""
    fits = tf.reduce_all(tf.shape(image)[:2] == IMAGE_SIZE)
    return tf.cond(fits, lambda: tf.cast(image, tf.float32),
                   lambda: tf.image.resize(image, [IMAGE_SIZE, IMAGE_SIZE], "bilinear", antialias=True))


def _big_endian(data: tf.Tensor) -> tf.Tensor:
    """int64 [n], bytes, to the number they spell, most significant first."""
    return tf.reduce_sum(data * [256 ** power for power in reversed(range(data.shape[0]))])


def _little_endian(data: tf.Tensor) -> tf.Tensor:
    return _big_endian(data[::-1])


def decode_upright_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    """What `decode_and_resize` gives for a JPEG without EXIF, to the bit, in a fifth of its time.

    TensorFlow spends most of it on the branches that are not taken. So it pays to know beforehand what an image is.

    Args:
      image_bytes: string scalar.

    Returns:
      float32 [224, 224, 3], RGB in 0..255.

    Raises:
      tf.errors.InvalidArgumentError: when the graph runs, as `decode_and_resize` does.
    """
    height, width = tf.unstack(tf.cast(tf.image.extract_jpeg_shape(image_bytes)[:2], tf.int64))

    def decode(ratio: int) -> tf.Tensor:
        # INTEGER_ACCURATE: the decoder's default is faster by little, off by a few levels, and chosen by platform.
        return tf.io.decode_jpeg(image_bytes, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE")

    halvings = tf.add_n([tf.cast(tf.minimum(height, width) >= _ENOUGH_PIXELS * ratio, tf.int32) for ratio in (2, 4, 8)])
    small = _when_small(height * width, lambda: tf.switch_case(
        halvings, [lambda ratio=ratio: decode(ratio) for ratio in (1, 2, 4, 8)]))
    return tf.ensure_shape(small, [IMAGE_SIZE, IMAGE_SIZE, 3])


def _read_jpeg(image_bytes: tf.Tensor) -> tf.Tensor:
    return _upright(decode_upright_jpeg(image_bytes),
                    _exif_orientation(tf.strings.substr(image_bytes, 0, _EXIF_SEARCH_BYTES), b"Exif\0\0"))


def _exif_orientation(part: tf.Tensor, marker: bytes, skip: int = 0) -> tf.Tensor:
    """An image's EXIF orientation.

    Args:
      part: string scalar, the bytes of the file to search.
      marker: what EXIF begins with in this format, `skip` bytes before its TIFF header.

    Returns:
      int32 scalar 1..8; 1 (upright) when there is no EXIF, or a damaged one.
    """
    data = tf.io.decode_raw(part, tf.uint8)
    windows = tf.maximum(tf.size(data) - len(marker) + 1, 0)
    found = tf.reduce_all(
        tf.stack([data[i:i + windows] == byte for i, byte in enumerate(marker)]), axis=0)
    positions = tf.where(found)[:, 0]

    def read() -> tf.Tensor:
        padded = tf.cast(tf.concat([data, tf.zeros([12], tf.uint8)], 0), tf.int64)
        last = tf.size(padded, tf.int64) - 4
        tiff = positions[0] + len(marker) + skip
        little_endian = padded[tf.minimum(tiff, last)] == ord("I")

        def number(position: tf.Tensor, size: int) -> tf.Tensor:
            """The numbers of `size` bytes at int64 [n] positions; out of range reads as padding."""
            taken = tf.gather(padded, tf.clip_by_value(position, 0, last)[:, None] + tf.range(size, dtype=tf.int64))
            order = tf.range(size, dtype=tf.int64)
            power = tf.where(little_endian, order, size - 1 - order)
            return tf.reduce_sum(tf.bitwise.left_shift(taken, 8 * power), axis=1)

        directory = tiff + number((tiff + 4)[None], 4)[0]
        entries = directory + 2 + 12 * tf.range(_EXIF_MAX_ENTRIES, dtype=tf.int64)
        present = tf.range(_EXIF_MAX_ENTRIES, dtype=tf.int64) < number(directory[None], 2)[0]
        orientation = tf.boolean_mask(number(entries + 8, 2), present & (number(entries, 2) == _EXIF_ORIENTATION_TAG))
        value = tf.concat([orientation, [1]], 0)[0]
        return tf.cast(tf.where((value >= 1) & (value <= 8), value, 1), tf.int32)

    return tf.cond(tf.size(positions) > 0, read, lambda: tf.constant(1))


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation (int32 1..8) on a square image; squashing to a square commutes with it."""

    def turn() -> tf.Tensor:
        turned = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
        mirrored = tf.reduce_any(orientation == [2, 3, 6, 7])
        turned = tf.cond(mirrored, lambda: turned[:, ::-1], lambda: turned)
        return tf.cond(tf.reduce_any(orientation == [3, 4, 7, 8]), lambda: turned[::-1], lambda: turned)

    return tf.cond(orientation == 1, lambda: image, turn)


def _over_white(rgba: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 4] to uint8 [h, w, 3]; opaque pixels keep their values exactly."""

    def blend() -> tf.Tensor:
        alpha = tf.cast(rgba[..., 3:], tf.int32)
        return tf.cast((tf.cast(rgba[..., :3], tf.int32) * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    return tf.cond(tf.reduce_all(rgba[..., 3] == 255), lambda: rgba[..., :3], blend)


def _png_pixels(header: tf.Tensor) -> tf.Tensor:
    return _big_endian(header[16:20]) * _big_endian(header[20:24])


def _read_png(image_bytes: tf.Tensor) -> tf.Tensor:
    # channels=0 keeps the file's own: asked for 4, TensorFlow adds an alpha of 1 instead of 255 to 1-bit images.
    image = tf.io.decode_png(image_bytes, channels=0)
    return tf.switch_case(tf.shape(image)[2] - 1, [
        lambda: tf.tile(image, [1, 1, 3]),
        lambda: _over_white(tf.gather(image, [0, 0, 0, 1], axis=2)),
        lambda: image,
        lambda: _over_white(image),
    ])


def _gif_pixels(header: tf.Tensor) -> tf.Tensor:
    return _little_endian(header[6:8]) * _little_endian(header[8:10])


def _first_gif_frame(image_bytes: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(tf.io.decode_image(image_bytes, channels=3, expand_animations=False), [None, None, 3])


def _bmp_pixels(header: tf.Tensor) -> tf.Tensor:
    """Width times height; 0 for run lengths and other packings that TensorFlow would read as plain pixels."""
    width, height = _little_endian(header[18:22]), _little_endian(header[22:26])
    height = tf.where(height >= 2 ** 31, 2 ** 32 - height, height)  # negative: rows from the top
    bits, packing = header[28], _little_endian(header[30:34])
    plain = (packing == 0) & tf.reduce_any(bits == [8, 24]) | (bits == 32) & tf.reduce_any(packing == [0, 3])
    return tf.where(plain, width * height, 0)


def _read_bmp(image_bytes: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_bmp(image_bytes, channels=0)

    def colours() -> tf.Tensor:
        # TensorFlow gives the 8-bit indices as grey; the palette (blue, green, red, unused) follows the header.
        start = tf.cast(14 + _little_endian(header[14:18]), tf.int32)
        palette = tf.io.decode_raw(tf.strings.substr(image_bytes, start, 1024), tf.uint8, fixed_length=1024)
        return tf.gather(tf.reshape(palette, [256, 4])[:, 2::-1], tf.cast(image[..., 0], tf.int32))

    return tf.cond(tf.shape(image)[2] == 1, colours, lambda: image[..., :3])


def _read_webp(image_bytes: tf.Tensor, header: tf.Tensor) -> tf.Tensor:
    def chunk_is(name: bytes) -> tf.Tensor:
        return tf.reduce_all(header[12:16] == list(name))

    extended = chunk_is(b"VP8X")
    width, height = _little_endian(header[26:28]) % 2 ** 14, _little_endian(header[28:30]) % 2 ** 14
    lossless = _little_endian(header[21:25])  # width - 1 and height - 1 in 14 bits each
    pixels = tf.case([
        (extended, lambda: (_little_endian(header[24:27]) + 1) * (_little_endian(header[27:30]) + 1)),
        (chunk_is(b"VP8L"), lambda: (lossless % 2 ** 14 + 1) * (lossless // 2 ** 14 % 2 ** 14 + 1)),
        (chunk_is(b"VP8 "), lambda: width * height),
    ], default=lambda: tf.constant(0, tf.int64))

    def read() -> tf.Tensor:
        image = tf.io.decode_webp(image_bytes, channels=0)[0]
        return tf.cond(tf.shape(image)[2] == 4, lambda: _over_white(image), lambda: image)

    animated = extended & (header[20] // 2 % 2 == 1)
    image = tf.cond(animated, lambda: _refuse("animated WebP"), lambda: _when_small(pixels, read))
    # Here EXIF comes last, so the end is searched; eight bytes are the chunk's name and size.
    end = tf.strings.substr(image_bytes, -tf.minimum(tf.strings.length(image_bytes), _EXIF_SEARCH_BYTES),
                            _EXIF_SEARCH_BYTES)
    return _upright(image, _exif_orientation(end, b"EXIF", skip=4))
