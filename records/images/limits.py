"""How large a photo may be: one set of numbers for make_records and for the SavedModel, without TensorFlow.

They bound the memory of reading one photo, beside the bytes of its file, to MAX_MEMORY_BYTES. The costliest of what
they let through, in bytes a pixel: transparency laid over white, 10 of 75 million pixels; a progressive JPEG, whose
coefficients are kept, 9 of 100 million.
"""

MAX_PIXELS = 100_000_000
"""More than most cameras make."""
MAX_SIDE = 65_535
"""The longest that JPEG and GIF know. Resizing keeps a strip as wide as the photo and as high as the result."""
MAX_DECODED_BYTES = 300_000_000
"""Of the decoded pixels, of 3 bytes each, or 4 where there is transparency, in CMYK and in WebP."""
MAX_SCANS = 100
"""Of a JPEG. Encoders make 1 to 15; each takes a pass over all pixels, and hardly a byte of the file."""
MAX_COMPRESSED_TEXTS = 32
"""Chunks of a PNG that may hold 8 MB each in a few KB, and that a decoder inflates to throw them away."""
MAX_MEMORY_BYTES = 1_500_000_000


def is_too_large(height: int, width: int, channels: int) -> bool:
    """Whether a photo of this size is refused. The SavedModel decides the same (`headers.is_readable`)."""
    return (max(height, width) > MAX_SIDE or height * width > MAX_PIXELS
            or height * width * max(channels, 3) > MAX_DECODED_BYTES)
