"""Images checked to the last byte, and made into what every reader can decode.

    checked = check_image(data)                  # BadImage says what is wrong
    checked.storable                             # JPEG or PNG, upright, RGB or grey, 8 bit

Plain JPEG and PNG files are stored as they are. Everything else that can be decoded (WebP, GIF, BMP, TIFF,
CMYK, 16 bit, palettes, transparency, EXIF rotation …) is stored as a PNG of the pixels that a viewer shows:
rotated upright, the first frame of an animation, transparency over white.
"""

import dataclasses
import enum
import hashlib
import io
import threading
import warnings
from typing import cast

import google_crc32c
import numpy as np
from PIL import Image

from records.images import jpeg, png
from records.images.files import BadImage

MAX_PIXELS = 100_000_000  # 300 MB decoded: more than most cameras make, less than what stops a machine
_SCRATCH_BYTES = 8 << 20
# No format whose decoder starts other programs or reads other files.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF")
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PixelHash(enum.Enum):
    """A hash of an image's size and RGB pixels, from the cheapest to the surest.

    EIGHTH: CRC-32C of a JPEG file's picture at an eighth of its size. It compares JPEG files with each other only.
    CRC32C: equal for the same picture in two formats, and by chance for others.
    SHA256: equal for the same picture in two formats only; takes a dozen times as long.
    """

    EIGHTH = "eighth"
    CRC32C = "crc32c"
    SHA256 = "sha256"


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedImage:
    """An image that decodes.

    Attributes:
      height, width: of the upright image, in pixels.
      pixel_hash: of its size and RGB pixels; 4 bytes, or 32 of SHA-256.
      hashed: which hash that is: the one asked for, but for EIGHTH, which only a JPEG file stored as it is has, and
        in whose place others have CRC32C.
      storable: bytes to store, `data` itself where that is a plain JPEG or PNG.
      reencoded: whether `storable` differs from the file's bytes.
    """

    height: int
    width: int
    pixel_hash: bytes
    hashed: PixelHash
    storable: bytes
    reencoded: bool


def _digest(hashed: PixelHash, width: int, height: int, rgb: np.ndarray) -> bytes:
    size, pixels = f"{width}x{height}:".encode(), np.ascontiguousarray(rgb).reshape(-1)
    if hashed is PixelHash.SHA256:
        digest = hashlib.sha256(size)
        digest.update(pixels.data)
        return digest.digest()
    return google_crc32c.extend(google_crc32c.value(size), pixels).to_bytes(4, "big")


class _Scratch(threading.local):
    """Memory for pixels that is used again: to have it from the system anew costs a sixth of the decoding."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def of_size(self, size: int) -> np.ndarray | None:
        """uint8 [size or more], valid until the next call of this thread; None where it would be too much to keep."""
        if size > _SCRATCH_BYTES:
            return None
        if size > self._buffer.size:
            self._buffer = np.empty(size, np.uint8)
        return self._buffer


_scratch = _Scratch()


def check_image(data: bytes, reencode: bool = False, hashed: PixelHash = PixelHash.EIGHTH) -> CheckedImage:
    """Decodes an encoded image to its last byte.

    Args:
      reencode: store a PNG of the pixels even where the file could be stored as it is.
      hashed: which hash of the pixels is wanted.

    Raises:
      BadImage: it is no image of a known format, is damaged, cut short, or too large to decode.
    """
    if not data:
        raise BadImage("image file is empty")
    if not reencode and (checked := _check_plain_jpeg(data, hashed)):
        return checked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd metadata
        try:
            return _check(data, reencode, hashed)
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


def _check_plain_jpeg(data: bytes, hashed: PixelHash) -> CheckedImage | None:
    """Most photos, without the time that Pillow takes to open them; None: look closer."""
    frame = jpeg.read_frame(data) if data.startswith(b"\xff\xd8") else None
    if (frame is None or frame.has_app1 or frame.bits != 8 or frame.components not in (1, 3)
            or not 0 < frame.height * frame.width <= MAX_PIXELS):
        return None
    try:
        return _check_jpeg(data, frame, hashed)
    except BadImage:
        return None


def _check_jpeg(data: bytes, frame: jpeg.Frame, hashed: PixelHash) -> CheckedImage | None:
    """A grey or RGB JPEG file that can be stored as it is; None where it cannot."""
    if not frame.is_huffman:
        return None
    decode, scale = (jpeg.decode_eighth, 8) if hashed is PixelHash.EIGHTH else (jpeg.decode, 1)
    height, width = -(-frame.height // scale), -(-frame.width // scale)
    rgb = decode(data, _scratch.of_size(3 * height * width))
    if rgb is None or rgb.shape != (height, width, 3):
        return None
    digest = _digest(hashed, frame.width, frame.height, rgb)
    return CheckedImage(frame.height, frame.width, digest, hashed, data, False)


def _check(data: bytes, reencode: bool, hashed: PixelHash) -> CheckedImage:
    Image.init()  # registers every format, once; the first Image.open alone would look for the most common only
    image = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BadImage(f"image is too large: {width:,} x {height:,} pixels, the limit is {MAX_PIXELS:,}")
    orientation = _orientation(image)
    decoded = None
    if image.format in ("JPEG", "MPO"):
        if image.mode in ("L", "RGB"):
            frame = jpeg.read_frame(data) if orientation == 1 and not reencode else None
            if frame and (checked := _check_jpeg(data, frame, hashed)):
                return checked
            decoded = jpeg.decode(data)
        else:
            jpeg.check_cmyk(data)
    is_plain = image.format == "PNG" and _is_plain_png(image, data) and orientation == 1 and not reencode
    pixels = _displayed(image) if decoded is None else Image.fromarray(decoded)
    if image.mode == "L" and decoded is not None:
        pixels = pixels.convert("L")
    if orientation != 1:
        pixels = pixels.transpose(_TRANSPOSE[orientation])
    width, height = pixels.size
    rgb = np.asarray(pixels if pixels.mode == "RGB" else pixels.convert("RGB"))
    hashed = PixelHash.CRC32C if hashed is PixelHash.EIGHTH else hashed
    return CheckedImage(height, width, _digest(hashed, width, height, rgb), hashed,
                        data if is_plain else _png(pixels), not is_plain)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF: the pixels are what counts
        return 1
    return value if value in _TRANSPOSE else 1


def _is_plain_png(image: Image.Image, data: bytes) -> bool:
    """Whether a whole PNG is a still of 8-bit grey or RGB without transparency (its IHDR chunk comes first)."""
    return (png.is_whole(data) and image.mode in ("L", "RGB") and data[24] == 8 and data[25] in (0, 2)
            and "transparency" not in image.info and getattr(image, "n_frames", 1) == 1)


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
