"""Image files checked to the last pixel, and made into what every reader can decode.

    data = read_image(images_dir, "a/b.jpg")     # never outside images_dir
    checked = check_image(data)                  # BadImage says what is wrong
    checked.storable                             # JPEG or PNG, upright, RGB or grey, 8 bit

Plain JPEG and PNG files are stored as they are. Everything else that can be decoded (WebP, GIF, BMP, TIFF,
CMYK, 16 bit, palettes, transparency, EXIF rotation …) is stored as a PNG of the pixels that a viewer shows:
rotated upright, the first frame of an animation, transparency over white.

JPEG has no checksums, and most readers, Pillow and TensorFlow among them, fill what they cannot decode with grey
or with garbage. libjpeg-turbo notices more than they tell; through simplejpeg's strict mode its warnings count.
PNG has checksums, but Pillow does not look at those of the pixels: we do.
"""

import dataclasses
import errno
import functools
import hashlib
import io
import os
import struct
import warnings
import zlib
from typing import Any, cast

import simplejpeg
from etils import epath
from PIL import Image

MISSING = "image file does not exist"
MAX_PIXELS = 100_000_000  # 300 MB decoded: more than most cameras make, less than what stops a machine
MAX_FILE_BYTES = 512 << 20
# No format whose decoder starts other programs or reads other files.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF")
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_INFLATE_BYTES = 1 << 20
# First column and row, and steps, of each pass of an interlaced PNG (PNG specification, section 8.2).
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CORRUPT_JPEG = ("Corrupt JPEG data", "Premature end")  # libjpeg's words for data that is not what was written

Image.init()  # registers every format; the first Image.open alone would look for the most common only


class BadImage(Exception):
    """The image cannot be used; str() is the reason, and its part before the first ':' the countable class."""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image that decodes.

    Attributes:
      height, width: of the upright image, in pixels.
      pixel_sha256: hash of its size and RGB pixels, 32 bytes: equal for the same picture in two lossless formats.
      storable: bytes to store, `data` itself where that is a plain JPEG or PNG.
      reencoded: whether `storable` differs from the file's bytes.
    """

    height: int
    width: int
    pixel_sha256: bytes
    storable: bytes
    reencoded: bool


def read_image(images_dir: str, name: str) -> bytes:
    """The bytes of images_dir/name.

    Raises:
      BadImage: the name leads outside images_dir, directly or through a link, or the file cannot be read.
    """
    if not name or "\0" in name or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise BadImage(f"image name leads outside --images: {name!r}")
    try:
        if "://" in images_dir:
            return (epath.Path(images_dir) / name).read_bytes()
        return _read_inside(images_dir, name)
    except (FileNotFoundError, NotADirectoryError):
        raise BadImage(f"{MISSING}: {name!r}") from None
    except (OSError, ValueError) as error:
        raise BadImage(f"image file cannot be read: {getattr(error, 'strerror', None) or error}") from error


@functools.lru_cache(maxsize=1 << 12)  # photos share few folders, and resolving one costs as much as reading a photo
def _is_inside(images_dir: str, name: str) -> bool:
    root = os.path.realpath(images_dir)
    return os.path.commonpath((root, os.path.realpath(os.path.join(root, name)))) == root


def _read_inside(images_dir: str, name: str) -> bytes:
    path = os.path.join(images_dir, name)
    inside = _is_inside(images_dir, os.path.dirname(name))
    flags = os.O_RDONLY | os.O_NONBLOCK  # a named pipe would wait for its other end, maybe for ever
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW) if inside else None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        inside = _is_inside.__wrapped__(images_dir, name)
        handle = os.open(path, flags) if inside else None
    if handle is None:
        raise BadImage(f"image is a link that leads outside --images: {name!r}")
    try:
        size = os.fstat(handle).st_size
        if size > MAX_FILE_BYTES:
            raise BadImage(f"image file is too large: more than {MAX_FILE_BYTES >> 20} MB")
        data = os.read(handle, size + 1)
        while part := os.read(handle, 1 << 20) if len(data) < size else b"":
            data += part
        return data
    finally:
        os.close(handle)


def check_image(data: bytes, reencode: bool = False) -> CheckedImage:
    """Decodes every pixel of an encoded image.

    Args:
      reencode: store a PNG of the pixels even where the file could be stored as it is.

    Raises:
      BadImage: it is no image of a known format, is damaged, cut short, or too large to decode.
    """
    if not data:
        raise BadImage("image file is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd metadata
        try:
            return _check(data, reencode)
        except (BadImage, MemoryError):
            raise
        except Image.DecompressionBombError:
            raise BadImage(f"image is too large: more than {MAX_PIXELS:,} pixels") from None
        except Image.UnidentifiedImageError:
            if data.startswith(_MAGIC):
                raise BadImage(f"image cannot be decoded: the header after {data[:4]!r} is damaged") from None
            raise BadImage(f"image is of no known format: it starts with {data[:8]!r}") from None
        except Exception as error:  # a decoder may raise anything on damaged bytes
            text = " ".join(f"{error or type(error).__name__}".split())[:200]
            raise BadImage(f"image cannot be decoded: {text}") from error


def _check(data: bytes, reencode: bool) -> CheckedImage:
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImage(f"image is too large: {width:,} x {height:,} pixels, the limit is {MAX_PIXELS:,}")
    orientation = _orientation(image)
    decoded = _decode_jpeg(image, data) if image.format in ("JPEG", "MPO") else None
    if decoded is not None and orientation == 1 and not reencode and _jpeg_process(data) in (0xC0, 0xC1, 0xC2):
        return CheckedImage(height, width, _pixel_sha256(width, height, decoded), data, False)
    is_plain = image.format == "PNG" and _is_plain_png(image, data) and orientation == 1 and not reencode
    pixels = _displayed(image) if decoded is None else Image.fromarray(decoded)
    if image.mode == "L" and decoded is not None:
        pixels = pixels.convert("L")
    if orientation != 1:
        pixels = pixels.transpose(_TRANSPOSE[orientation])
    width, height = pixels.size
    rgb = (pixels if pixels.mode == "RGB" else pixels.convert("RGB")).tobytes()
    storable = data if is_plain else _png(pixels)
    return CheckedImage(height, width, _pixel_sha256(width, height, rgb), storable, not is_plain)


def _pixel_sha256(width: int, height: int, rgb: Any) -> bytes:
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(rgb)
    return digest.digest()


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF: the pixels are what counts
        return 1
    return value if value in _TRANSPOSE else 1


def _decode_jpeg(image: Image.Image, data: bytes) -> Any:
    """uint8 [height, width, 3] RGB; None where libjpeg finds the file odd but whole, or its colours are not RGB."""
    colorspace = "RGB" if image.mode in ("L", "RGB") else "CMYK"
    try:
        decoded = simplejpeg.decode_jpeg(data, colorspace, strict=True)
    except ValueError as error:
        if str(error).startswith(_CORRUPT_JPEG):
            raise BadImage(f"JPEG data is corrupt: {error}") from error
        return None
    return decoded if colorspace == "RGB" else None


def _jpeg_process(data: bytes) -> int:
    """The start-of-frame marker of a JPEG file; 0 where its segments are out of order.

    0xC0 to 0xC2 (ITU-T T.81, table B.1) are the Huffman-coded processes that TensorFlow decodes.
    """
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF:  # fill byte
            offset += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker
        offset += 2 + struct.unpack_from(">H", data, offset + 2)[0]
    return 0


def _is_plain_png(image: Image.Image, data: bytes) -> bool:
    """Whether a whole PNG is a still of 8-bit grey or RGB without transparency (its IHDR chunk comes first)."""
    return (_png_is_whole(data) and image.mode in ("L", "RGB") and data[24] == 8 and data[25] in (0, 2)
            and "transparency" not in image.info and getattr(image, "n_frames", 1) == 1)


def _png_is_whole(data: bytes) -> bool:
    """Checks all chunks and the compressed stream, on which Pillow is lenient; False for damage outside the pixels.

    Raises:
      BadImage: what is needed to decode the image is damaged or missing.
    """
    offset, whole = 8, True
    stream, found = zlib.decompressobj(), 0
    expected = _png_bytes(data)
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
    raise BadImage(f"PNG data is corrupt: it ends in the chunk at byte {offset}")


def _png_bytes(data: bytes) -> int:
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


def _displayed(image: Image.Image) -> Image.Image:
    """The first frame as a viewer shows it, not yet upright: mode L or RGB."""
    image.load()
    if image.mode.startswith("I"):
        image = image.convert("I")
        low, high = cast(tuple[int, int], image.getextrema())
        if low < 0 or high > 65535:
            raise BadImage(f"image has pixels of unknown range: {low} to {high}")
        return image.point(lambda value: value / 257).convert("L")
    if image.mode == "F":
        raise BadImage("image has pixels of unknown range: floating point")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.info.clear()  # no colour profile, EXIF or text of the original: the pixels only
    image.save(out, "PNG", compress_level=3)  # 3 % larger than the usual 6, in half the time
    return out.getvalue()
