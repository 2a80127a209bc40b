import io

import pytest
from PIL import Image

from tagger.serving.image_cost import is_quick
from tests.records.inputs import PHOTOS


def encoded(size, format, **options):
    out = io.BytesIO()
    Image.new("RGB", size).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP"])
def test_small_images_of_every_format_are_quick_and_large_ones_are_not(format):
    assert is_quick(encoded((640, 480), format))
    assert not is_quick(encoded((5000, 4000), format))


@pytest.mark.parametrize("format, certain", [
    ("JPEG", False), ("GIF", False), ("PNG", True), ("WEBP", True), ("BMP", True)])
def test_cut_after_any_byte_of_the_header(format, certain):
    """What is cut never raises, and is quick only where the decoder cannot take it for something larger."""
    data = encoded((64, 48), format)
    quick = [is_quick(data[:end]) for end in range(64)]
    assert all(isinstance(answer, bool) for answer in quick)
    assert set(quick[16:]) == {certain}


def test_a_photo_is_quick_and_a_progressive_one_counts_its_scans():
    assert is_quick(PHOTOS[0].read_bytes())
    assert is_quick(encoded((1600, 1200), "JPEG", progressive=True))
    assert not is_quick(encoded((640, 480), "JPEG", progressive=True) + b"\xff\xda" * 1000)


def test_what_lies_about_its_size_is_not_quick():
    assert not is_quick(encoded((4, 4), "GIF"))  # its frames may be larger than its screen
    png = encoded((4, 4), "PNG")
    assert not is_quick(png[:8] + b"\0\0\0\0tEXt" + b"\0" * 4 + png[8:])  # IHDR has to come first
    assert not is_quick(b"\xff\xd8" + b"\xff" * 10_000_000)


def test_what_is_no_image_is_refused_quickly():
    assert is_quick(b"") and is_quick(b"no image") and is_quick(b"\x00" * 5_000_000)
