import io

import numpy as np
import pytest
from PIL import Image

from records.images.shrinking import shrink
from tests.records.inputs import PHOTOS


def encoded(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "L")])
def test_the_same_picture_with_a_shorter_side(kind, mode):
    with Image.open(PHOTOS[0]) as photo:
        large = photo.convert(mode).resize((900, 600))
    data, height, width = shrink(encoded(large, kind), 64)
    with Image.open(io.BytesIO(data)) as small:
        assert (small.format, small.mode, small.size, (height, width)) == ("JPEG", mode, (96, 64), (64, 96))
        expected = np.asarray(large.resize((96, 64), Image.Resampling.BOX), float)
        assert np.abs(np.asarray(small, float) - expected).mean() < 6


def test_what_is_small_enough_stays_as_it_is():
    data = PHOTOS[0].read_bytes()
    with Image.open(PHOTOS[0]) as photo:
        width, height = photo.size
    assert shrink(data, min(width, height)) == (data, height, width)


def test_a_long_photo_keeps_a_pixel():
    data, height, width = shrink(encoded(Image.new("RGB", (3, 900)), "PNG"), 1)
    assert (height, width) == (300, 1)
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == (1, 300)
