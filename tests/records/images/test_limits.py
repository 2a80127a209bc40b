import pytest

from records.images.limits import MAX_DECODED_BYTES, MAX_PIXELS, MAX_SIDE, is_too_large


@pytest.mark.parametrize(("height", "width", "channels"), [
    (10_000, 10_000, 3), (1, MAX_SIDE, 3), (10_000, MAX_DECODED_BYTES // 40_000, 4), (10_000, 10_000, 1)])
def test_the_most_that_is_read(height, width, channels):
    assert not is_too_large(height, width, channels)
    assert is_too_large(MAX_SIDE + 1, 1, 3) and is_too_large(1, MAX_SIDE + 1, 3)


@pytest.mark.parametrize(("height", "width", "channels"), [
    (10_000, MAX_PIXELS // 10_000 + 1, 1), (10_000, MAX_DECODED_BYTES // 40_000 + 1, 4)])
def test_too_many_pixels_and_too_many_bytes(height, width, channels):
    assert is_too_large(height, width, channels)
