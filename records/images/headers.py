"""What image bytes say before they are decoded: the format, the size, the EXIF orientation, in TensorFlow operations.

    header = read_header(image_bytes)                         # int64 [64]
    kind(header), bmp_size(header).is_readable()              # BMP, True

A size is learnt here before a byte of pixels is allocated for it.
"""

from typing import NamedTuple

import tensorflow as tf

from records.images import limits

HEADER_BYTES = 64
# EXIF comes first in a JPEG, by its standard; colour profiles and XMP that tools put before it fit as well.
EXIF_SEARCH_BYTES = 8192
_EXIF_MAX_ENTRIES = 64
_EXIF_ORIENTATION_TAG = 0x0112

UNKNOWN, JPEG, PNG, GIF, BMP, WEBP = range(6)


def read_header(image_bytes: tf.Tensor) -> tf.Tensor:
    """int64 [64]: the first bytes of an encoded image (string scalar), zeros where it is shorter."""
    return tf.cast(tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=HEADER_BYTES), tf.int64)


def kind(header: tf.Tensor) -> tf.Tensor:
    """int32 scalar: which decoder the first bytes (int64 [64]) call for."""

    def starts(prefix: bytes, offset: int = 0) -> tf.Tensor:
        return tf.reduce_all(header[offset:offset + len(prefix)] == list(prefix))

    kinds = {JPEG: starts(b"\xff\xd8\xff"), PNG: starts(b"\x89PNG\r\n\x1a\n"), GIF: starts(b"GIF8"),
             BMP: starts(b"BM"), WEBP: starts(b"RIFF") & starts(b"WEBP", 8)}
    return tf.add_n([tf.cast(match, tf.int32) * kind for kind, match in kinds.items()])


def is_jpeg_without_exif(image_bytes: tf.Tensor) -> tf.Tensor:
    """bool [B], whether `decode_upright_jpeg` does for each of string [B] what `decode_and_resize` does."""
    begin = tf.strings.substr(image_bytes, 0, EXIF_SEARCH_BYTES)
    # \C is any byte; RE2's dot would stop at one that is no UTF-8.
    return ((tf.strings.substr(begin, 0, 3) == b"\xff\xd8\xff")
            & ~tf.strings.regex_full_match(begin, r"\C*Exif\x00\x00\C*"))


def occurrences(image_bytes: tf.Tensor, pattern: bytes, most: int) -> tf.Tensor:
    """int64 scalar: how often a pattern stands in a string scalar, counted up to most + 1."""
    split = tf.raw_ops.StringSplitV2(input=image_bytes[None], sep=pattern, maxsplit=most + 1)
    return split.shape[1] - 1


class Size(NamedTuple):
    """Height, width and bytes of a decoded pixel, each int64 scalar; a height of 0 for what must not be decoded."""

    height: tf.Tensor
    width: tf.Tensor
    channels: tf.Tensor | int

    def is_readable(self) -> tf.Tensor:
        """bool scalar, whether there are pixels, and not too many of them (`limits.is_too_large`)."""
        sides = tf.stack([self.height, self.width])
        pixels = self.height * self.width
        return (tf.reduce_all((sides > 0) & (sides <= limits.MAX_SIDE)) & (pixels <= limits.MAX_PIXELS)
                & (self.bytes() <= limits.MAX_DECODED_BYTES))

    def bytes(self) -> tf.Tensor:
        """int64 scalar, of the decoded pixels."""
        return self.height * self.width * tf.maximum(tf.cast(self.channels, tf.int64), 3)


def jpeg_scans(image_bytes: tf.Tensor) -> tf.Tensor:
    """int64 scalar: scans of a JPEG, with those of a thumbnail in its EXIF."""
    # A scan's header is at most 14 bytes long, so the first byte of its length is 0.
    return occurrences(image_bytes, b"\xff\xda\x00", limits.MAX_SCANS)


def png_size(image_bytes: tf.Tensor, header: tf.Tensor) -> Size:
    """Of a PNG; none where its first chunk is another than its header, or texts in it may take long to inflate."""
    first = tf.reduce_all(header[8:16] == list(b"\0\0\0\x0dIHDR"))
    texts = tf.add_n([occurrences(image_bytes, name, limits.MAX_COMPRESSED_TEXTS)
                      for name in (b"zTXt", b"iTXt", b"iCCP")])
    transparent = tf.reduce_any(header[25] == [4, 6]) | (occurrences(image_bytes, b"tRNS", 1) > 0)
    height = tf.where(first & (texts <= limits.MAX_COMPRESSED_TEXTS), _big_endian(header[20:24]), 0)
    return Size(height, _big_endian(header[16:20]), tf.where(transparent, 4, 3))


def bmp_size(header: tf.Tensor) -> Size:
    """Of a BMP; none for run lengths and other packings that TensorFlow would read as plain pixels."""
    width, height = little_endian(header[18:22]), little_endian(header[22:26])
    height = tf.where(height >= 2 ** 31, 2 ** 32 - height, height)  # negative: rows from the top
    bits, packing = header[28], little_endian(header[30:34])
    plain = (packing == 0) & tf.reduce_any(bits == [8, 24]) | (bits == 32) & tf.reduce_any(packing == [0, 3])
    return Size(tf.where(plain, height, 0), width, bits // 8)


def webp_size(header: tf.Tensor) -> Size:
    """Of a still WebP, of which libwebp keeps 4 bytes a pixel; none where its first chunk is none that it begins with.

    Where the first chunk says the size of a canvas, libwebp itself compares that with the image inside.
    """

    def chunk_is(name: bytes) -> tf.Tensor:
        return tf.reduce_all(header[12:16] == list(name))

    lossless = little_endian(header[21:25])  # width - 1 and height - 1 in 14 bits each
    height, width = tf.case([
        (chunk_is(b"VP8X"), lambda: (little_endian(header[27:30]) + 1, little_endian(header[24:27]) + 1)),
        (chunk_is(b"VP8L"), lambda: (lossless // 2 ** 14 % 2 ** 14 + 1, lossless % 2 ** 14 + 1)),
        (chunk_is(b"VP8 "), lambda: (little_endian(header[28:30]) % 2 ** 14, little_endian(header[26:28]) % 2 ** 14)),
    ], default=lambda: (tf.constant(0, tf.int64), tf.constant(0, tf.int64)))
    return Size(height, width, 4)


def webp_is_animated(header: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(header[12:16] == list(b"VP8X")) & (header[20] // 2 % 2 == 1)


def exif_part(image_bytes: tf.Tensor) -> tf.Tensor:
    """string scalar: the part of a JPEG or PNG file where its EXIF is."""
    return tf.strings.substr(image_bytes, 0, EXIF_SEARCH_BYTES)


def exif_orientation(part: tf.Tensor, marker: bytes, skip: int = 0) -> tf.Tensor:
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


def _big_endian(data: tf.Tensor) -> tf.Tensor:
    """int64 [n], bytes, to the number they spell, most significant first."""
    return tf.reduce_sum(data * [256 ** power for power in reversed(range(data.shape[0]))])


def little_endian(data: tf.Tensor) -> tf.Tensor:
    return _big_endian(data[::-1])
