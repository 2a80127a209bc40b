import pytest
import tensorflow as tf

from records.images import headers, limits
from tests.records.images.bad_images import encoded, photo


def header(image, form, **options):
    return headers.read_header(tf.constant(encoded(image, form, **options)))


@pytest.mark.parametrize(("form", "kind"), [
    ("JPEG", headers.JPEG), ("PNG", headers.PNG), ("GIF", headers.GIF), ("BMP", headers.BMP), ("WEBP", headers.WEBP),
    ("TIFF", headers.UNKNOWN)])
def test_kind(form, kind):
    assert headers.kind(header(photo(), form)) == kind


def test_nothing_is_of_no_kind():
    assert headers.kind(headers.read_header(tf.constant(b""))) == headers.UNKNOWN


@pytest.mark.parametrize(("mode", "form", "channels"), [("RGB", "PNG", 3), ("RGBA", "PNG", 4), ("RGB", "BMP", 3),
                                                        ("RGB", "WEBP", 4), ("RGBA", "WEBP", 4)])
@pytest.mark.parametrize("lossless", [False, True])
def test_size_before_anything_is_decoded(mode, form, channels, lossless):
    data = encoded(photo((300, 70)).convert(mode), form, **({"lossless": True} if lossless and form == "WEBP" else {}))
    first = headers.read_header(tf.constant(data))
    size = {"PNG": lambda: headers.png_size(tf.constant(data), first), "BMP": lambda: headers.bmp_size(first),
            "WEBP": lambda: headers.webp_size(first)}[form]()
    assert (int(size.height), int(size.width), int(size.channels)) == (70, 300, channels)
    assert bool(size.is_readable()) and int(size.bytes()) == 300 * 70 * channels


def test_what_must_not_be_decoded():
    def is_readable(height, width, channels=3):
        return bool(headers.Size(tf.constant(height, tf.int64), tf.constant(width, tf.int64), channels).is_readable())

    assert is_readable(10_000, 10_000) and not is_readable(10_000, 10_001) and not is_readable(0, 10)
    assert not is_readable(10_000, 10_000, 4) and not is_readable(1, limits.MAX_SIDE + 1)


def test_exif_and_scans():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    plain, turned = encoded(photo(), "JPEG"), encoded(photo(), "JPEG", exif=exif)
    assert headers.is_jpeg_without_exif(tf.constant([plain, turned, encoded(photo(), "PNG")])).numpy().tolist() == [
        True, False, False]
    assert [int(headers.exif_orientation(headers.exif_part(tf.constant(data)), b"Exif\0\0"))
            for data in (plain, turned, turned[:40])] == [1, 6, 1]
    assert int(headers.jpeg_scans(tf.constant(plain))) == 1
    assert int(headers.jpeg_scans(tf.constant(encoded(photo(), "JPEG", progressive=True)))) > 3


def test_animated_webp():
    frames = {"save_all": True, "append_images": [photo(which=1)]}
    assert bool(headers.webp_is_animated(header(photo(), "WEBP", **frames)))
    assert not bool(headers.webp_is_animated(header(photo(), "WEBP")))
