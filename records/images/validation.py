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
from collections.abc import Iterable, Iterator
from typing import cast

import google_crc32c
import numpy as np
from PIL import Image, TiffImagePlugin, features

from records.images import jpeg_integrity, limits, png_integrity
from records.images.files import BadImage

_SCRATCH_BYTES = 8 << 20
_STRIPE_PIXELS = 1 << 22
# No format whose decoder starts other programs or reads other files.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_MAGIC = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE, _TILE_WIDTH, _TILE_LENGTH = 258, 322, 323
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


def _digest(hashed: PixelHash, width: int, height: int, stripes: Iterable[np.ndarray]) -> bytes:
    """Of a size, and of RGB pixels given as uint8 [h, w, 3] stripes from the top."""
    size = f"{width}x{height}:".encode()
    digest, crc = hashlib.sha256(size), google_crc32c.value(size)
    for rgb in stripes:
        pixels = np.ascontiguousarray(rgb).reshape(-1)
        if hashed is PixelHash.SHA256:
            digest.update(pixels.data)
        else:
            crc = google_crc32c.extend(crc, pixels)
    return digest.digest() if hashed is PixelHash.SHA256 else crc.to_bytes(4, "big")


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
        raise BadImage("photo is empty")
    if not reencode and (checked := _check_plain_jpeg(data, hashed)):
        return checked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about odd metadata
        try:
            return _check(data, reencode, hashed)
        except (BadImage, MemoryError):
            raise
        except Image.DecompressionBombError:
            raise BadImage(f"photo is too large: more than {limits.MAX_PIXELS:,} pixels") from None
        except Image.UnidentifiedImageError:
            if data.startswith(_MAGIC):
                raise BadImage(f"photo cannot be decoded: the header after {data[:4]!r} is damaged") from None
            raise BadImage(f"photo is of no known format: it starts with {data[:8]!r}") from None
        except Exception as error:  # a decoder may raise anything on damaged bytes
            text = " ".join(f"{error or type(error).__name__}".split())[:200]
            raise BadImage(f"photo cannot be decoded: {text}") from error


def _check_plain_jpeg(data: bytes, hashed: PixelHash) -> CheckedImage | None:
    """Most photos, without the time that Pillow takes to open them; None: look closer."""
    frame = jpeg_integrity.read_frame(data) if data.startswith(b"\xff\xd8") else None
    if (frame is None or frame.has_app1 or frame.bits != 8 or frame.components not in (1, 3)
            or not 0 < frame.height * frame.width or limits.is_too_large(frame.height, frame.width, 3)
            or jpeg_integrity.has_too_many_scans(data)):
        return None
    try:
        return _check_jpeg(data, frame, hashed)
    except BadImage:
        return None


def _check_jpeg(data: bytes, frame: jpeg_integrity.Frame, hashed: PixelHash) -> CheckedImage | None:
    """A grey or RGB JPEG file that can be stored as it is; None where it cannot."""
    if not frame.is_huffman:
        return None
    decode, scale = (jpeg_integrity.decode_eighth, 8) if hashed is PixelHash.EIGHTH else (jpeg_integrity.decode, 1)
    height, width = -(-frame.height // scale), -(-frame.width // scale)
    rgb = decode(data, _scratch.of_size(3 * height * width))
    if rgb is None or rgb.shape != (height, width, 3):
        return None
    digest = _digest(hashed, frame.width, frame.height, (rgb,))
    return CheckedImage(frame.height, frame.width, digest, hashed, data, False)


def _check(data: bytes, reencode: bool, hashed: PixelHash) -> CheckedImage:
    Image.init()  # registers every format, once; the first Image.open alone would look for the most common only
    original = data
    if data.startswith(png_integrity.SIGNATURE):
        data = png_integrity.without_long_texts(data)  # Pillow refuses what it would have to throw away
    image = Image.open(io.BytesIO(data), formats=_formats(data))
    width, height = image.size
    _check_cost(image, original)
    orientation = _orientation(image)
    decoded = None
    if image.format in ("JPEG", "MPO"):
        if image.mode in ("L", "RGB"):
            frame = jpeg_integrity.read_frame(data) if orientation == 1 and not reencode else None
            if frame and (checked := _check_jpeg(data, frame, hashed)):
                return checked
            decoded = jpeg_integrity.decode(data)
        else:
            jpeg_integrity.check_cmyk(data)
    is_plain = image.format == "PNG" and _is_plain_png(image, original) and orientation == 1 and not reencode
    pixels = _displayed(image) if decoded is None else Image.fromarray(decoded)
    if image.mode == "L" and decoded is not None:
        pixels = pixels.convert("L")
    if orientation != 1:
        pixels = pixels.transpose(_TRANSPOSE[orientation])
    width, height = pixels.size
    hashed = PixelHash.CRC32C if hashed is PixelHash.EIGHTH else hashed
    digest = _digest(hashed, width, height, (np.asarray(part.convert("RGB")) for _, part in _stripes(pixels)))
    return CheckedImage(height, width, digest, hashed, original if is_plain else _png(pixels), not is_plain)


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats that a file may be of. Raises BadImage for one that needs a package which is not there."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis") and not features.check("avif"):
        raise BadImage("photo is AVIF, which this pillow cannot read: install pillow 11.3 or later, or convert the "
                       "photo to JPEG")
    if brand not in _HEIF_BRANDS:
        return _FORMATS
    try:
        import pillow_heif
    except ImportError:
        raise BadImage("photo is HEIC, which needs pillow-heif: install this package with its extra [heif], or "
                       "convert the photo to JPEG") from None
    pillow_heif.register_heif_opener(thumbnails=False)
    return ("HEIF", *_FORMATS)  # mif1 is the brand of some AVIF files too


def _check_cost(image: Image.Image, data: bytes) -> None:
    """Raises BadImage for what `records.images.limits` does not allow; nothing is decoded yet."""
    width, height = image.size
    four = image.format == "WEBP" or image.mode == "CMYK" or image.has_transparency_data
    if image.format == "PNG":
        four |= b"tRNS" in data
        png_integrity.check_texts(data)
    elif image.format == "BMP":
        four = data[28:29] == b" "  # 32 bits
    elif image.format in ("JPEG", "MPO") and jpeg_integrity.has_too_many_scans(data):
        raise BadImage(f"JPEG has too many scans: {data.count(jpeg_integrity.SCAN):,}, the limit is {limits.MAX_SCANS}")
    elif image.format == "TIFF":
        tags = cast(TiffImagePlugin.TiffImageFile, image).tag_v2
        tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_LENGTH, 0))
        if tile * sum(tags.get(_BITS_PER_SAMPLE, (8,))) // 8 > limits.MAX_DECODED_BYTES:
            raise BadImage(f"photo is too large: its tiles have {tile:,} pixels")
    if limits.is_too_large(height, width, 4 if four else 3):
        raise BadImage(f"photo is too large: {width:,} x {height:,} pixels{', transparent or CMYK' if four else ''}, "
                       f"the limit is {limits.MAX_PIXELS:,} pixels, {limits.MAX_DECODED_BYTES // 1_000_000} MB "
                       f"decoded and {limits.MAX_SIDE:,} pixels a side")


def _stripes(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Parts of so few rows that converting one takes little memory, from the top, each with its first row."""
    width, height = image.size
    rows = max(1, _STRIPE_PIXELS // max(1, width))
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(height, top + rows)))


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF: the pixels are what counts
        return 1
    return value if value in _TRANSPOSE else 1


def _is_plain_png(image: Image.Image, data: bytes) -> bool:
    """Whether a whole PNG is a still of 8-bit grey or RGB without transparency (its IHDR chunk comes first)."""
    return (png_integrity.is_whole(data) and image.mode in ("L", "RGB") and data[24] == 8 and data[25] in (0, 2)
            and "transparency" not in image.info and getattr(image, "n_frames", 1) == 1)


def _displayed(image: Image.Image) -> Image.Image:
    """The first frame as a viewer shows it, not yet upright: mode L or RGB."""
    image.load()
    if image.mode == "F":
        raise BadImage("photo has pixels of unknown range: floating point")
    parts = _stripes(image)
    top, part = next(parts)
    part = _displayed_part(part)
    if part.size == image.size:
        return part
    whole = Image.new(part.mode, image.size)
    whole.paste(part, (0, top))
    for top, part in parts:
        whole.paste(_displayed_part(part), (0, top))
    return whole


def _displayed_part(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = image.convert("I")
        low, high = cast(tuple[int, int], image.getextrema())
        if low < 0 or high > 65535:
            raise BadImage(f"photo has pixels of unknown range: {low} to {high}")
        return image.point(lambda value: value / 257).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.info.clear()  # no colour profile, EXIF or text of the original: the pixels only
    image.save(out, "PNG", compress_level=3)  # 3 % larger than the usual 6, in half the time
    return out.getvalue()
