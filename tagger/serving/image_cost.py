"""What decoding an encoded image may cost, from its header alone: whether it can go with other clients' images.

A telephone's JPEG takes some 50 ms, a hundred megapixels of PNG take seconds and hundreds of megabytes. Neither is
wrong, but who sends the second should be the one who waits.
"""

from records.images.jpeg_integrity import read_frame

# Pixels that take about 0.1 s on one core of 2020. JPEG is decoded at a fraction of its size, the others are not.
_QUICK_JPEG, _QUICK_OTHER = 16_000_000, 3_000_000
_SCANS_LIKE_ONE_MORE = 4  # a progressive scan reads a part of the coefficients
_HEADER_BYTES = 256 << 10  # where a JPEG's size is looked for: behind thumbnails and colour profiles


def is_quick(data: bytes) -> bool:
    """Whether the model decodes, or refuses, an image in about 0.1 s at the most, and in 60 MB."""
    if data.startswith(b"\xff\xd8"):
        frame = read_frame(data[:_HEADER_BYTES])
        if frame is None:
            return False
        scans = data.count(b"\xff\xda")
        return frame.height * frame.width * (1 + scans / _SCANS_LIKE_ONE_MORE) <= _QUICK_JPEG
    if data.startswith(b"\x89PNG"):
        return data[12:16] == b"IHDR" and _png_pixels(data[16:24]) <= _QUICK_OTHER
    if data.startswith(b"RIFF"):
        return _webp_pixels(data) <= _QUICK_OTHER
    if data.startswith(b"BM"):  # never more pixels than bytes: what is packed is refused
        return len(data) <= _QUICK_OTHER
    return not data.startswith(b"GIF8")  # whose frames may be larger than it says; the rest is no image


def _png_pixels(sides: bytes) -> int:
    return int.from_bytes(sides[:4]) * int.from_bytes(sides[4:]) if len(sides) == 8 else 0


def _webp_pixels(data: bytes) -> int:
    chunk, body = data[12:16], data[20:30].ljust(10, b"\0")
    if chunk == b"VP8X":
        return (int.from_bytes(body[4:7], "little") + 1) * (int.from_bytes(body[7:10], "little") + 1)
    if chunk == b"VP8L":
        size = int.from_bytes(body[1:5], "little")
        return (size % 2 ** 14 + 1) * (size // 2 ** 14 % 2 ** 14 + 1)
    return (int.from_bytes(body[6:8], "little") % 2 ** 14) * (int.from_bytes(body[8:10], "little") % 2 ** 14)
