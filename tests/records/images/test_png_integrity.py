import zlib

import pytest

from records.images import limits, png_integrity
from records.images.files import BadImage
from tests.records.images.bad_images import chunk, encoded, photo, usable


def insert(data, *chunks):
    """Chunks behind the header."""
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.parametrize("name", ["rgb.png", "grey.png", "interlaced.png", "16_bit.png"])
def test_whole(name):
    assert png_integrity.is_whole(usable()[name]())


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_missing_and_changed_pixels(share):
    data = encoded(photo(), "PNG")
    with pytest.raises(BadImage, match="the file is cut off in the chunk at byte"):
        png_integrity.is_whole(data[:int(len(data) * share)])
    changed = bytearray(data)
    changed[60 + int((len(data) - 120) * share)] ^= 1
    with pytest.raises(BadImage, match="the checksum of its chunk at byte"):
        png_integrity.is_whole(bytes(changed))


def test_fewer_rows_than_the_header_says():
    data = encoded(photo(), "PNG")
    short = data[:33] + chunk(b"IDAT", zlib.compress(bytes(100))) + data[-12:]
    with pytest.raises(BadImage, match="100 bytes of pixels instead of"):
        png_integrity.is_whole(short)


def test_damage_outside_the_pixels_is_no_fault_of_the_picture():
    text = bytearray(chunk(b"tEXt", b"Comment\0hello"))
    text[-1] ^= 1
    assert not png_integrity.is_whole(insert(encoded(photo(), "PNG"), bytes(text)))


def test_long_and_compressed_texts_go_and_short_ones_stay():
    data = encoded(photo(), "PNG")
    short = chunk(b"tEXt", b"Comment\0hello")
    assert png_integrity.without_long_texts(insert(data, short)) == insert(data, short)
    for text in (chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(99))), chunk(b"tEXt", b"a\0" + b"x" * (2 << 20))):
        assert png_integrity.without_long_texts(insert(data, short, text)) == insert(data, short)


def test_many_compressed_texts_are_refused():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x"))
    png_integrity.check_texts(insert(encoded(photo(), "PNG"), *[text] * limits.MAX_COMPRESSED_TEXTS))
    with pytest.raises(BadImage, match="too many compressed texts: 33, the limit is 32"):
        png_integrity.check_texts(insert(encoded(photo(), "PNG"), *[text] * (limits.MAX_COMPRESSED_TEXTS + 1)))
