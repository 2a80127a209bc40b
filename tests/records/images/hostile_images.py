"""Small files that are made to cost much: sizes that lie, pixels that are nearly free to write. All made here.

    hostile()["huge_frame.gif"]()      # 1 MB that would decode to 1.6 billion pixels
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from tests.records.images.bad_images import chunk, encoded, photo

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def deflated_zeros(size: int) -> bytes:
    """A zlib stream of `size` zero bytes, made without compressing all of them."""
    block = 1 << 20
    raw = zlib.compressobj(9, wbits=-15)
    unit = raw.compress(bytes(block)) + raw.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, wbits=-15)
    end = last.compress(bytes(size % block)) + last.flush()
    return b"\x78\xda" + unit * (size // block) + end + struct.pack(">HH", size % 65521, 1)


def blank_png(width: int, height: int, depth: int = 8, color: int = 2, before: bytes = b"", extra: bytes = b"",
              interlaced: int = 0) -> bytes:
    """A PNG of zeros, with chunks `before` its header and `extra` ones after it."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    data = deflated_zeros(height * (1 + -(-width * channels * depth // 8)) + (8 * height if interlaced else 0))
    return _SIGNATURE + before + header + palette + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _lzw_zeros(pixels: int) -> bytes:
    """Sub-blocks of a GIF frame of zeros: every code stands for a run that is one pixel longer than the last."""

    def codes(count: int) -> Iterator[tuple[int, int]]:
        run = 1
        while count:
            bits, pixels = max(9, (256 + run).bit_length()), min(run, count)
            yield 0 if pixels == 1 else 256 + pixels, bits
            count -= pixels
            run += 1
            if run == 3840:  # the table is full
                yield 256, 12
                run = 1

    def packed(stream: Iterator[tuple[int, int]]) -> bytes:
        value = length = 0
        for code, bits in stream:
            value |= code << length
            length += bits
        return value.to_bytes(-(-length // 8), "little")

    cycle = 8 * 3839 * 3840 // 2  # pixels of eight full tables, after which the codes begin at a byte again
    data = packed(iter([(256, 9)] * 8)) + packed(codes(cycle)) * (pixels // cycle) + packed(codes(pixels % cycle))
    blocks = [bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)]
    return b"\x08" + b"".join(blocks) + b"\0"


def blank_gif(screen: tuple[int, int], frame: tuple[int, int], frames: int = 1, comments: int = 0,
              sub_block: int = 255) -> bytes:
    """A GIF of black frames, behind empty comments, with comments of `sub_block` bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF7, 0, 0) + bytes(768)
    comment = b"\x21\xfe" + (bytes([sub_block]) + b"c" * sub_block) * 3 + b"\0"
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + _lzw_zeros(frame[0] * frame[1])
    return head + comment * comments + one * frames + b";"


def scans_jpeg(scans: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    data = encoded(photo(size), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - data.count(b"\xff\xda\x00") + 1) + b"\xff\xd9"


def blank_webp(width: int, height: int, alpha: int = 0) -> bytes:
    """A lossless WebP of one colour: 30 bytes for any size, since its only symbols take no bits."""
    bits = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (alpha, 1), (0, 3), (0, 1), (0, 1), (0, 1)]
    bits += [(1, 1), (0, 1), (0, 1), (0, 1)] * 5  # five codes of one symbol, which is 0
    value = length = 0
    for number, count in bits:
        value |= number << length
        length += count
    body = value.to_bytes(-(-length // 8) + 8, "little")
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def _webp_canvas(data: bytes, width: int, height: int, flags: int = 0) -> bytes:
    """The WebP in an extended file that says another size."""
    extended = b"VP8X" + struct.pack("<IB3x", 10, flags) + (width - 1).to_bytes(3, "little")
    extended += (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(data) - 8 + len(extended)) + b"WEBP" + extended + data[12:]


def _animated_webp() -> bytes:
    return encoded(photo(), "WEBP", save_all=True, append_images=[photo(which=1)])


def _with_sof(data: bytes, process: int, bits: int = 8) -> bytes:
    start = data.index(b"\xff\xc0")
    return data[:start] + bytes([0xFF, process, *data[start + 2:start + 4], bits]) + data[start + 5:]


def _two_frames_jpeg() -> bytes:
    data = encoded(photo((64, 48)), "JPEG")
    start, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    frame = data[start:start + 19]
    large = frame[:5] + struct.pack(">HH", 30_000, 30_000) + frame[9:]
    return data[:scan] + large + data[scan:]


def jpeg_size(width: int, height: int, progressive: bool = False, mode: str = "RGB") -> bytes:
    """A JPEG that says another size than it has."""
    data = encoded(photo((64, 48)).convert(mode), "JPEG", progressive=progressive)
    start = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    return data[:start + 5] + struct.pack(">HH", height, width) + data[start + 9:]


def thumbnail_jpeg() -> bytes:
    """A sound photo whose EXIF holds a whole JPEG, of a size and a scan of its own."""
    exif = Image.Exif()
    exif[0x0112] = 1
    inside = exif.tobytes() + scans_jpeg(20, (160, 120))
    data = encoded(photo((64, 48)), "JPEG")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(inside) + 2) + inside + data[2:]


def _bmp(width: int, height: int, offset: int = 54, header: int = 40, bits: int = 24) -> bytes:
    fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 3000, 0, 0, offset) + fields + bytes(3000)


def _tiff(width: int, height: int, tile: int) -> bytes:
    """A TIFF with one deflated tile that is larger than the image."""
    data = deflated_zeros(tile * tile)
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1), (322, 4, tile),
            (323, 4, tile), (324, 4, 8), (325, 4, len(data))]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data) + len(data) % 2) + data + bytes(len(data) % 2) + directory


def _jp2(width: int, height: int) -> bytes:
    """A JPEG 2000 file whose outer box says 10 x 10."""
    data = bytearray(encoded(Image.new("L", (width, height)), "JPEG2000"))
    start = data.index(b"ihdr") + 4
    data[start:start + 8] = struct.pack(">II", 10, 10)
    return bytes(data)


def _avif(width: int, height: int) -> bytes:
    data = bytearray(encoded(Image.new("RGB", (width, height)), "AVIF", speed=10))
    start = data.index(b"ispe") + 8
    data[start:start + 8] = struct.pack(">II", 10, 10)
    return bytes(data)


def text_png(chunks: int, size: int) -> bytes:
    """A sound PNG behind compressed texts of `size` bytes each."""
    text = chunk(b"zTXt", b"Comment\0\0" + deflated_zeros(size))
    data = encoded(photo(), "PNG")
    return data[:33] + text * chunks + data[33:]


def hostile() -> dict[str, Callable[[], bytes]]:
    """Files that decode to far more than they weigh, or say less than they hold."""
    return {
        "huge_frame.gif": lambda: blank_gif((10, 10), (40_000, 40_000)),
        "huge_screen.gif": lambda: blank_gif((65_000, 65_000), (10, 10)),
        "chunk_first.png": lambda: blank_png(20_000, 20_000, 1, 0, before=chunk(b"abCd", b"\0\0\0\1" * 4)),
        "large_rgba.png": lambda: blank_png(10_000, 10_000, color=6),
        "large_rgba16.png": lambda: blank_png(10_000, 9_000, 16, color=6),
        "large_interlaced.png": lambda: blank_png(20_000, 20_000, 1, 0, interlaced=1),
        "large_transparent.png": lambda: blank_png(10_000, 10_000, 1, 3, extra=chunk(b"tRNS", b"\0")),
        "wide.png": lambda: blank_png(900_000, 100, 1, 0),
        "tall.png": lambda: blank_png(100, 900_000, 1, 0),
        "many_scans.jpg": lambda: scans_jpeg(1000),
        "large_cmyk.jpg": lambda: jpeg_size(10_000, 10_000, mode="CMYK"),
        "longest_sides.jpg": lambda: jpeg_size(65_500, 65_500),
        "two_frames.jpg": _two_frames_jpeg,
        "12_bits.jpg": lambda: _with_sof(encoded(photo(), "JPEG"), 0xC1, 12),
        "lossless.jpg": lambda: _with_sof(encoded(photo(), "JPEG"), 0xC3),
        "lossless.webp": lambda: blank_webp(16_383, 16_383),
        "large_alpha.webp": lambda: blank_webp(16_000, 6_250, alpha=1),
        "small_canvas.webp": lambda: _webp_canvas(blank_webp(16_383, 16_383), 10, 10),
        "animated_small_canvas.webp": lambda: _webp_canvas(blank_webp(16_383, 16_383), 10, 10, 2),
        "large.bmp": lambda: _bmp(60_000, 60_000),
        "largest.bmp": lambda: _bmp(2**31 - 1, -2**31),
        "pixels_elsewhere.bmp": lambda: _bmp(30, 30, offset=2**31 - 1),
        "header_size.bmp": lambda: _bmp(30, 30, header=2**31 + 7),
    }


def odd() -> dict[str, Callable[[], bytes]]:
    """Files that look as dangerous and hold a small picture all the same."""
    return {
        "many_frames.gif": lambda: blank_gif((1000, 1000), (1000, 1000), frames=1500),
        "many_comments.gif": lambda: blank_gif((64, 48), (64, 48), comments=300, sub_block=3),
        "thumbnail.jpg": thumbnail_jpeg,
        "some_scans.jpg": lambda: scans_jpeg(60),
        "16_bit_rgba.png": lambda: blank_png(64, 48, 16, color=6),
        "much_text.png": lambda: text_png(1, 3_000_000),
        "very_much_text.png": lambda: text_png(300, 7_900_000),
        "small.webp": lambda: blank_webp(64, 48),
    }


def largest() -> dict[str, Callable[[], bytes]]:
    """The costliest of what the limits let through."""
    return {
        "rgb.png": lambda: blank_png(10_000, 10_000),
        "bilevel.png": lambda: blank_png(10_000, 10_000, 1, 0),
        "grey16.png": lambda: blank_png(10_000, 10_000, 16, 0),
        "rgba.png": lambda: blank_png(10_000, 7_500, color=6),
        "grey_alpha.png": lambda: blank_png(10_000, 7_500, color=4),
        "transparent_palette.png": lambda: blank_png(7_500, 10_000, 8, 3, extra=chunk(b"tRNS", b"\0")),
        "interlaced16.png": lambda: blank_png(10_000, 10_000, 16, 2, interlaced=1),
        "wide.png": lambda: blank_png(65_535, 1_525),
        "alpha.webp": lambda: blank_webp(16_000, 4_687, alpha=1),
        "opaque.webp": lambda: blank_webp(16_000, 4_687),
        "still.gif": lambda: blank_gif((10_000, 10_000), (10_000, 10_000)),
        "progressive.jpg": lambda: encoded(Image.new("RGB", (10_000, 10_000), "red"), "JPEG", progressive=True,
                                           subsampling=0),
        "progressive_strip.jpg": lambda: encoded(Image.new("RGB", (65_500, 890), "red"), "JPEG", progressive=True,
                                                 subsampling=0),
        "cmyk.jpg": lambda: encoded(Image.new("CMYK", (10_000, 7_500)), "JPEG", progressive=True),
    }


def pillow_only() -> dict[str, Callable[[], bytes]]:
    """Like `hostile`, of formats that TensorFlow does not read."""
    return {
        "large_tile.tiff": lambda: _tiff(10, 10, 30_000),
        "small_box.jp2": lambda: _jp2(2_000, 2_000),
        "small_box.avif": lambda: _avif(8_000, 8_000),
    }
