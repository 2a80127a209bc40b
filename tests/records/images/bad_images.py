"""Image files as the world has them: odd ones that can be used, and broken ones that cannot. All made here."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from tests.records.inputs import PHOTOS


def photo(size: tuple[int, int] = (40, 30), which: int = 0) -> Image.Image:
    """A small RGB photo."""
    with Image.open(PHOTOS[which]) as image:
        return image.convert("RGB").resize(size)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of a format."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, color: int = 2) -> bytes:
    """A PNG up to its pixels."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _exif_after_frame() -> bytes:
    """EXIF that says to turn the image, between the frame's header and its pixels."""
    data = encoded(photo(), "JPEG", exif=_exif(6))
    start = data.index(b"\xff\xe1")
    end = start + 2 + struct.unpack_from(">H", data, start + 2)[0]
    scan = data.index(b"\xff\xda")
    return data[:start] + data[end:scan] + data[start:end] + data[scan:]


def _frames(kind: str) -> bytes:
    frames = [photo(which=which) for which in range(3)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def _alpha() -> Image.Image:
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def _png16() -> bytes:
    rows = np.arange(30 * 40 * 3, dtype=">u2").reshape(30, 120) * 18
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png_header(40, 30, depth=16) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def _interlaced() -> bytes:
    pixels = np.asarray(photo())
    raw = b"".join(b"\0" + row.tobytes() for left, top, right, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
        for row in pixels[top::down, left::right])
    header = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw))
            + chunk(b"IEND", b""))


def _grey16() -> Image.Image:
    return Image.fromarray((np.arange(1200, dtype=np.uint16) * 54).reshape(30, 40))


def _with_text(data: bytes) -> bytes:
    return data[:33] + chunk(b"tEXt", b"Comment\0hello") + data[33:]


def _damaged_end(data: bytes) -> bytes:
    return data[:-12] + chunk(b"tEXt", b"Comment\0hello")[:-1] + b"?" + data[-12:]


def _damaged_text(data: bytes) -> bytes:
    whole = bytearray(_with_text(data))
    whole[33 + 12] ^= 1
    return bytes(whole)


def usable() -> dict[str, Callable[[], bytes]]:
    """Odd files that hold a picture all the same."""
    files: dict[str, Callable[[], bytes]] = {
        "baseline.jpg": lambda: encoded(photo(), "JPEG"),
        "progressive.jpg": lambda: encoded(photo(), "JPEG", progressive=True),
        "grey.jpg": lambda: encoded(photo().convert("L"), "JPEG"),
        "full_chroma.jpg": lambda: encoded(photo(), "JPEG", subsampling=0),
        "restart_markers.jpg": lambda: encoded(photo(), "JPEG", restart_marker_blocks=1),
        "worst_quality.jpg": lambda: encoded(photo(), "JPEG", quality=1),
        "cmyk.jpg": lambda: encoded(photo().convert("CMYK"), "JPEG"),
        "trailing_bytes.jpg": lambda: encoded(photo(), "JPEG") + b"appended by a phone" * 50,
        "long_comment.jpg": lambda: encoded(photo(), "JPEG", comment=b"c" * 60_000),
        "damaged_exif.jpg": lambda: encoded(photo(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff"),
        "rgb.png": lambda: encoded(photo(), "PNG"),
        "grey.png": lambda: encoded(photo().convert("L"), "PNG"),
        "bilevel.png": lambda: encoded(photo().convert("1"), "PNG"),
        "palette.png": lambda: encoded(photo().quantize(16), "PNG"),
        "alpha.png": lambda: encoded(_alpha(), "PNG"),
        "grey_alpha.png": lambda: encoded(_alpha().convert("LA"), "PNG"),
        "transparent_colour.png": lambda: encoded(photo(), "PNG", transparency=(0, 0, 0)),
        "palette_alpha.png": lambda: encoded(photo().quantize(16), "PNG", transparency=3),
        "16_bit.png": _png16,
        "16_bit_grey.png": lambda: encoded(_grey16(), "PNG"),
        "animated.png": lambda: _frames("PNG"),
        "interlaced.png": _interlaced,
        "text_chunk.png": lambda: _with_text(encoded(photo(), "PNG")),
        "damaged_chunk_at_the_end.png": lambda: _damaged_end(encoded(photo(), "PNG")),
        "still.gif": lambda: encoded(photo(), "GIF"),
        "animated.gif": lambda: _frames("GIF"),
        "rgb.bmp": lambda: encoded(photo(), "BMP"),
        "palette.bmp": lambda: encoded(photo().quantize(8), "BMP"),
        "lossy.webp": lambda: encoded(photo(), "WEBP"),
        "lossless.webp": lambda: encoded(photo(), "WEBP", lossless=True),
        "alpha.webp": lambda: encoded(_alpha(), "WEBP"),
        "animated.webp": lambda: _frames("WEBP"),
        "rgb.tiff": lambda: encoded(photo(), "TIFF"),
        "16_bit.tiff": lambda: encoded(_grey16(), "TIFF"),
        "cmyk.tiff": lambda: encoded(photo().convert("CMYK"), "TIFF"),
        "many_pages.tiff": lambda: _frames("TIFF"),
        "rgb.ppm": lambda: encoded(photo(), "PPM"),
        "rgb.jp2": lambda: encoded(photo(), "JPEG2000"),
        "one_pixel.jpg": lambda: encoded(photo((1, 1)), "JPEG"),
        "one_pixel.png": lambda: encoded(photo((1, 1)), "PNG"),
        "one_row.png": lambda: encoded(photo((3000, 1)), "PNG"),
        "jpeg_called.png": lambda: encoded(photo(which=1), "JPEG"),
        "no_suffix": lambda: encoded(photo(which=2), "JPEG"),
        "mit leerzeichen und ümläut 图.jpg": lambda: encoded(photo(which=3), "JPEG"),
        "n" * 240 + ".jpg": lambda: encoded(photo(which=4), "JPEG"),
    }
    for orientation in range(2, 9):
        files[f"orientation_{orientation}.jpg"] = (
            lambda orientation=orientation: encoded(photo(), "JPEG", exif=_exif(orientation)))
    files["exif_after_frame.jpg"] = _exif_after_frame
    files["orientation_6.png"] = lambda: encoded(photo(), "PNG", exif=_exif(6))
    files["orientation_3.webp"] = lambda: encoded(photo(), "WEBP", exif=_exif(3))
    return files


def _changed(data: bytes, offset: int, value: bytes) -> bytes:
    return data[:offset] + value + data[offset + len(value):]


def _jpeg_size(width: int, height: int) -> bytes:
    data = encoded(photo(), "JPEG")
    frame = data.index(b"\xff\xc0")
    return _changed(data, frame + 5, struct.pack(">HH", height, width))


def broken() -> dict[str, Callable[[], bytes]]:
    """Files that hold no picture, or only a part of one."""
    jpeg, png = encoded(photo((64, 48)), "JPEG"), encoded(photo((64, 48)), "PNG")
    progressive = encoded(photo((64, 48)), "JPEG", progressive=True)
    others = {"gif": encoded(photo(), "GIF"), "bmp": encoded(photo(), "BMP"), "webp": encoded(photo(), "WEBP"),
              "tiff": encoded(photo(), "TIFF"), "jp2": encoded(photo(), "JPEG2000")}
    files: dict[str, Callable[[], bytes]] = {
        "empty.jpg": lambda: b"",
        "text.jpg": lambda: b"this is no photo\n" * 20,
        "html.jpg": lambda: b"<!DOCTYPE html><title>404 Not Found</title>",
        "zeros.jpg": lambda: bytes(5000),
        "noise.jpg": lambda: random.Random(0).randbytes(5000),
        "magic_only.jpg": lambda: b"\xff\xd8\xff",
        "magic_only.png": lambda: b"\x89PNG\r\n\x1a\n",
        "magic_and_noise.jpg": lambda: b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(3000),
        "svg.jpg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "pdf.jpg": lambda: b"%PDF-1.4\n1 0 obj\n",
        "postscript.jpg": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "zip.jpg": lambda: b"PK\x03\x04" + bytes(100),
        "bomb.png": lambda: png_header(20_000, 20_000) + chunk(b"IDAT", zlib.compress(bytes(10_000))),
        "bomb_of_zeros.png": lambda: png_header(2**31 - 1, 1) + chunk(b"IDAT", b""),
        "bomb.jpg": lambda: _jpeg_size(20_000, 20_000),
        "bomb.gif": lambda: _changed(others["gif"], 6, struct.pack("<HH", 65_000, 65_000)),
        "bomb.bmp": lambda: _changed(others["bmp"], 18, struct.pack("<ii", 60_000, 60_000)),
        "larger_than_its_data.jpg": lambda: _jpeg_size(900, 700),
        "no_size.jpg": lambda: _jpeg_size(0, 0),
        "no_size.png": lambda: png_header(0, 0) + png[33:],
        "no_pixels.png": lambda: png_header(40, 30) + chunk(b"IEND", b""),
        "unknown_depth.png": lambda: png_header(40, 30, depth=3) + png[33:],
        "floating_point.tiff": lambda: encoded(Image.fromarray(np.random.default_rng(0).random((9, 9), np.float32)),
                                               "TIFF"),
        "signed_32_bit.tiff": lambda: encoded(Image.fromarray(np.full((9, 9), -5, np.int32)), "TIFF"),
        "huffman_table.jpg": lambda: _changed(jpeg, jpeg.index(b"\xff\xc4") + 5, b"\xff" * 16),
        "quantisation_table.jpg": lambda: _changed(jpeg, jpeg.index(b"\xff\xdb") + 2, b"\x00\x03\x55"),
        "no_scan.jpg": lambda: jpeg[:jpeg.index(b"\xff\xda")] + b"\xff\xd9",
        "ends_in_the_middle.jpg": lambda: jpeg[:len(jpeg) // 2] + b"\xff\xd9",
        "damaged_text_chunk.png": lambda: _damaged_text(png),
        "no_end.jpg": lambda: jpeg[:-2],
        "no_end.png": lambda: png[:-12],
        "corrupt_zlib.png": lambda: png[:33] + chunk(b"IDAT", b"\x78\x9c" + bytes(50)) + chunk(b"IEND", b""),
    }
    for part in (1, 10, 30, 50, 70, 90, 99):
        files[f"first_{part}_percent.jpg"] = lambda part=part: jpeg[:len(jpeg) * part // 100]
        files[f"first_{part}_percent.png"] = lambda part=part: png[:len(png) * part // 100]
        files[f"first_{part}_percent_progressive.jpg"] = lambda part=part: progressive[:len(progressive) * part // 100]
    for name, data in others.items():
        files[f"first_half.{name}"] = lambda data=data: data[:len(data) // 2]
        files[f"first_bytes.{name}"] = lambda data=data: data[:11]
    for number in range(8):
        offset = 33 + 8 + number * (len(png) - 60) // 8
        files[f"flipped_byte_{number}.png"] = lambda offset=offset: _changed(png, offset, bytes([png[offset] ^ 1]))
    return files
