import io

import numpy as np
import pytest
from PIL import Image

from records.images import jpeg_integrity, limits
from records.images.files import BadImage
from tests.records.images.bad_images import encoded, photo


@pytest.mark.parametrize(("image", "options", "process", "components", "has_app1"), [
    (photo(), {}, 0xC0, 3, False), (photo(), {"progressive": True}, 0xC2, 3, False),
    (photo().convert("L"), {}, 0xC0, 1, False), (photo().convert("CMYK"), {}, 0xC0, 4, False),
    (photo(), {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}, 0xC0, 3, True)])
def test_what_the_segments_say(image, options, process, components, has_app1):
    frame = jpeg_integrity.read_frame(encoded(image, "JPEG", **options))
    assert frame == jpeg_integrity.Frame(process, 8, image.height, image.width, components, has_app1)
    assert frame.is_huffman


def test_segments_out_of_order():
    data = encoded(photo(), "JPEG")
    start = data.index(b"\xff\xc0")
    end = start + 2 + int.from_bytes(data[start + 2:start + 4], "big")
    assert jpeg_integrity.read_frame(data[:start] + data[end:]) is None
    assert jpeg_integrity.read_frame(data[:end] + data[start:]) is None
    assert jpeg_integrity.read_frame(data[:end - 8]) is None
    assert not jpeg_integrity.Frame(0xC9, 8, 1, 1, 3, False).is_huffman


def test_pixels_and_those_of_an_eighth():
    data = encoded(photo((80, 48)), "JPEG", quality=95)
    pixels = jpeg_integrity.decode(data)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_allclose(pixels, np.asarray(image), atol=3)
    eighth = jpeg_integrity.decode_eighth(data)
    assert eighth.shape == (6, 10, 3)
    means = pixels.reshape(6, 8, 10, 8, 3).mean((1, 3))
    assert np.abs(eighth - means).mean() < 4


@pytest.mark.parametrize("check", [jpeg_integrity.decode, jpeg_integrity.decode_eighth])
def test_pixels_that_are_missing_are_noticed(check):
    data = encoded(photo((80, 48)), "JPEG")
    with pytest.raises(BadImage, match="JPEG data is corrupt: the file is cut off$"):
        check(data[:len(data) * 2 // 3])
    with pytest.raises(BadImage, match="JPEG data is corrupt: (?!the file is cut off)"):
        check(data[:len(data) * 2 // 3] + b"\xff\xd9")
    with pytest.raises(BadImage, match="JPEG data is corrupt: "):
        cmyk = encoded(photo((80, 48)).convert("CMYK"), "JPEG")
        jpeg_integrity.check_cmyk(cmyk[:len(cmyk) * 2 // 3])


def test_scans_are_counted():
    assert not jpeg_integrity.has_too_many_scans(encoded(photo(), "JPEG", progressive=True))
    assert not jpeg_integrity.has_too_many_scans(jpeg_integrity.SCAN * limits.MAX_SCANS)
    assert jpeg_integrity.has_too_many_scans(jpeg_integrity.SCAN * (limits.MAX_SCANS + 1))
