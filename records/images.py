"""Image files checked to the last pixel, and made into what every reader can decode.

    data = read_image(images_dir, "a/b.jpg")     # never outside images_dir
    checked = check_image(data)                  # BadImage says what is wrong
    checked.storable                             # JPEG or PNG, upright, RGB or grey, 8 bit

Plain JPEG and PNG files are stored as they are. Everything else that can be decoded (WebP, GIF, BMP, TIFF,
CMYK, 16 bit, palettes, transparency, EXIF rotation …) is stored as a PNG of the pixels that a viewer shows:
rotated upright, the first frame of an animation, transparency over white.
"""

import dataclasses
import hashlib
import io
import os
import struct
import warnings
from typing import Any

from etils import epath
from PIL import Image

MAX_PIXELS = 100_000_000  # 300 MB decoded: more than any camera makes, less than what stops a machine
MAX_FILE_BYTES = 512 << 20
# No format whose decoder starts other programs or reads other files.
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF")
_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImage(Exception):
    """The image cannot be used; str() is the reason, and its part before the first ':' the countable class."""


class MissingImage(BadImage):
    """There is no such file."""


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
        path = os.path.join(images_dir, name)
        if os.path.commonpath((os.path.realpath(images_dir), os.path.realpath(path))) != os.path.realpath(images_dir):
            raise BadImage(f"image is a link that leads outside --images: {name!r}")
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                raise BadImage(f"image file is larger than {MAX_FILE_BYTES >> 20} MB: {name!r}")
            return file.read()
    except FileNotFoundError:
        raise MissingImage(f"image file does not exist: {name!r}") from None
    except (OSError, ValueError) as error:
        raise BadImage(f"image file cannot be read: {getattr(error, 'strerror', None) or error}") from error


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
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
        except Image.DecompressionBombError:
            raise BadImage(f"image is too large: more than {MAX_PIXELS:,} pixels") from None
        except Image.UnidentifiedImageError:
            raise BadImage(f"image is of no known format: starts with {data[:8]!r}") from None
        except Exception as error:  # a decoder may raise anything on damaged bytes
            raise BadImage(f"image cannot be decoded: {_line(error)}") from error
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise BadImage(f"image is too large: {width:,} x {height:,} pixels, the limit is {MAX_PIXELS:,}")
        try:
            plain = not reencode and _is_plain(image, data)
            pixels = image if plain else _displayed(image)
            rgb = (pixels if pixels.mode == "RGB" else pixels.convert("RGB")).tobytes()
            storable = data if plain else _png(pixels)
        except BadImage:
            raise
        except Exception as error:
            raise BadImage(f"image cannot be decoded: {_line(error)}") from error
    width, height = pixels.size
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(rgb)
    return CheckedImage(height, width, digest.digest(), storable, not plain)


def _line(error: Exception) -> str:
    return " ".join(f"{error or type(error).__name__}".split())[:200]


def _orientation(image: Image.Image) -> int:
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF: the pixels are what counts
        return 1
    return value if value in _TRANSPOSE else 1


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether TensorFlow's decoders show these bytes as Pillow does."""
    if image.mode not in ("L", "RGB") or _orientation(image) != 1:
        return False
    if image.format in ("JPEG", "MPO"):
        return _jpeg_process(data) in (0xC0, 0xC1, 0xC2)  # Huffman coding; TensorFlow has no arithmetic decoder
    if image.format == "PNG":
        depth, color = data[24], data[25]
        still = getattr(image, "n_frames", 1) == 1
        return depth == 8 and color in (0, 2) and "transparency" not in image.info and still
    return False


def _jpeg_process(data: bytes) -> int:
    """The start-of-frame marker of a JPEG file; 0 where its segments are out of order."""
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


def _displayed(image: Image.Image) -> Image.Image:
    """The first frame as a viewer shows it: mode L or RGB, upright."""
    orientation = _orientation(image)
    image.load()
    if image.mode.startswith("I;16") or image.mode == "I":
        low, high = image.convert("I").getextrema()
        if low < 0 or high > 65535:
            raise BadImage(f"image has pixels of unknown range: {low} to {high}")
        image = image.convert("I").point(lambda value: value / 257).convert("L")
    elif image.mode == "F":
        raise BadImage("image has pixels of unknown range: floating point")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    elif image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    return image.transpose(_TRANSPOSE[orientation]) if orientation != 1 else image


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.info.clear()  # no ICC profile, EXIF or text of the original: the pixels only
    image.save(out, "PNG", compress_level=6)
    return out.getvalue()
