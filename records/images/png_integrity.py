"""What Pillow does not look at in a PNG: the checksums of its pixels, and whether all of them are there."""

import struct
import zlib

from records.images import limits
from records.images.files import BadImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXT_BYTES = 1 << 20  # as much as Pillow keeps without a word
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_INFLATE_BYTES = 1 << 20
# First column and row, and steps, of each pass of an interlaced PNG (PNG specification, section 8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def is_whole(data: bytes) -> bool:
    """Checks all chunks and the compressed stream, on which Pillow is lenient; False for damage outside the pixels.

    Raises:
      BadImage: what is needed to decode the image is damaged or missing.
    """
    offset, whole = 8, True
    stream, found = zlib.decompressobj(), 0
    expected = _pixel_bytes(data)
    while offset + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[offset + 4:end - 4]) != int.from_bytes(data[end - 4:end], "big"):
            if kind[:1].isupper():  # a critical chunk, as PNG calls it
                raise BadImage(f"PNG data is corrupt: the checksum of its chunk at byte {offset} is wrong")
            whole = False
        if kind == b"IDAT":
            rest = data[offset + 8:end - 4]
            while rest and found <= expected and not stream.eof:
                found += len(stream.decompress(rest, _INFLATE_BYTES))
                rest = stream.unconsumed_tail
        if kind == b"IEND":
            if found < expected:
                raise BadImage(f"PNG data is corrupt: {found} bytes of pixels instead of {expected}")
            return whole and found == expected and stream.eof
        offset = end
    raise BadImage(f"PNG data is corrupt: the file is cut off in the chunk at byte {offset}")


def check_texts(data: bytes) -> None:
    """Raises BadImage where texts and colour profiles could take long to inflate."""
    texts = sum(data.count(name) for name in (b"zTXt", b"iTXt", b"iCCP"))
    if texts > limits.MAX_COMPRESSED_TEXTS:
        raise BadImage(f"PNG has too many compressed texts: {texts:,}, the limit is {limits.MAX_COMPRESSED_TEXTS}")


def without_long_texts(data: bytes) -> bytes:
    """A PNG without the texts that hold more than 1 MiB, or may do so when they are inflated."""
    kept, start, offset, texts = [], 0, len(SIGNATURE), 0
    while offset + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        if kind in _TEXTS:
            texts += length
            if kind != b"tEXt" and _is_compressed(kind, data[offset + 8:end - 4]) or texts > _TEXT_BYTES:
                kept.append(data[start:offset])
                start = end
        offset = end
    return b"".join([*kept, data[start:]]) if kept else data


def _is_compressed(kind: bytes, text: bytes) -> bool:
    flag = text.partition(b"\0")[2][:1]  # behind the keyword
    return kind == b"zTXt" or flag != b"\0"


def _pixel_bytes(data: bytes) -> int:
    """Bytes of all rows of a PNG, uncompressed: each has a filter byte before its pixels."""
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, right, down in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
