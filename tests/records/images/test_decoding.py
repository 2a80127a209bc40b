"""Any image becomes the same square of pixels everywhere, and a broken one spoils nothing but its own row."""

import io
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.images.decoding import decode_and_resize, decode_batch, decode_upright_jpeg
from records.images.limits import MAX_PIXELS
from records.images.validation import check_image
from tests.records.images.bad_images import broken, encoded, photo, png_header, usable
from tests.records.inputs import PHOTOS

SIZE = 224
# Formats that TensorFlow has no decoder for, and the one on which its decoder corrupts memory.
REFUSED = {"rgb.tiff", "16_bit.tiff", "cmyk.tiff", "many_pages.tiff", "rgb.ppm", "rgb.jp2", "animated.webp"}
# TensorFlow's decoders fill or skip this damage without a word; make_records rejects it.
UNSEEN = {"larger_than_its_data.jpg", "ends_in_the_middle.jpg", "damaged_text_chunk.png"}
USABLE = {name: make() for name, make in usable().items()}
BROKEN = {name: make() for name, make in broken().items()}


@pytest.fixture(scope="module")
def batch():
    return tf.function(lambda rows: decode_batch(rows, SIZE), input_signature=[tf.TensorSpec([None], tf.string)])


@pytest.fixture(scope="module")
def single():
    return tf.function(lambda data: decode_and_resize(data, SIZE), input_signature=[tf.TensorSpec([], tf.string)])


def test_an_image_of_the_right_size_keeps_its_decoded_values(single):
    with Image.open(PHOTOS[0]) as image:
        data = encoded(image.convert("RGB").resize((SIZE, SIZE)), "JPEG", quality=90)
    expected = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    pixels = single(data).numpy()
    assert pixels.dtype == np.float32
    np.testing.assert_array_equal(pixels, expected)


def test_every_photo_is_the_antialiased_resize_of_its_decoded_values(batch):
    files = [path.read_bytes() for path in PHOTOS[:8]]
    pixels, valid = batch(files)
    assert valid.numpy().all()
    for data, image in zip(files, pixels, strict=True):
        decoded = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
        np.testing.assert_array_equal(image, tf.image.resize(decoded, [224, 224], antialias=True))


@pytest.mark.parametrize("size", [(40, 30), (224, 224), (500, 375), (900, 1000)])
def test_the_way_for_plain_jpegs_gives_the_same_bits(single, size):
    for options in ({}, {"progressive": True}, {"subsampling": 0}):
        data = encoded(photo(size), "JPEG", **options)
        np.testing.assert_array_equal(tf.function(decode_upright_jpeg)(tf.constant(data), SIZE), single(data))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode_upright_jpeg(data[:len(data) // 2], SIZE)


def test_what_is_served_is_what_was_recorded(batch):
    """A photo in any format gives the pixels of the file that make_records stores for it."""
    pixels, valid = batch(list(USABLE.values()))
    stored, all_valid = batch([check_image(data).storable for data in USABLE.values()])
    assert all_valid.numpy().all()
    assert {name for name, ok in zip(USABLE, valid.numpy(), strict=True) if not ok} == REFUSED
    for name, ours, theirs, ok in zip(USABLE, pixels.numpy(), stored.numpy(), valid.numpy(), strict=True):
        if ok:  # 16 bits are cut by one reader and rounded by the other; turning before or after resizing rounds
            np.testing.assert_allclose(ours, theirs, atol=1.001 if name == "16_bit_grey.png" else 1e-3, err_msg=name)


def test_broken_images_are_invalid_and_leave_the_others_alone(batch):
    good = [path.read_bytes() for path in PHOTOS[:2]]
    names, rows = ["first photo", *BROKEN, "last photo"], [good[0], *BROKEN.values(), good[1]]
    pixels, valid = batch(rows)
    assert {name for name, ok in zip(names, valid.numpy(), strict=True) if ok} == {"first photo", "last photo", *UNSEEN}
    assert not pixels.numpy()[~valid.numpy()].any()
    alone, _ = batch(good)
    np.testing.assert_array_equal(pixels.numpy()[[0, -1]], alone)


@pytest.mark.parametrize("rows, valid", [
    ([], []), ([b""], [False]), ([b"", b"text"], [False, False]), ([PHOTOS[0].read_bytes()], [True])])
def test_any_batch_size(batch, rows, valid):
    pixels, found = batch(tf.constant(rows, tf.string))
    assert pixels.shape == (len(rows), 224, 224, 3)
    assert found.numpy().tolist() == valid


def test_hundreds_in_one_batch_keep_their_order(batch):
    colours = [(i, 255 - i, i // 2) for i in range(250)]
    rows = [encoded(Image.new("RGB", (9, 7), colour), "PNG") for colour in colours]
    rows[100] = rows[100][:-20]
    pixels, valid = batch(rows)
    assert valid.numpy().tolist() == [i != 100 for i in range(250)]
    expected = np.array(colours, np.float32)
    expected[100] = 0
    np.testing.assert_allclose(pixels.numpy()[:, 50, 50], expected, atol=1e-4)


@pytest.mark.parametrize("name", ["text.jpg", "empty.jpg", "first_50_percent.jpg", "bomb.png"])
def test_a_single_broken_image_raises(single, name):
    with pytest.raises(tf.errors.InvalidArgumentError):
        single(BROKEN[name])


@pytest.mark.parametrize("kind, options", [
    ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("BMP", {}), ("WEBP", {}),
    ("WEBP", {"lossless": True})])
def test_any_damage_is_survived(batch, kind, options):
    whole = encoded(photo((24, 18)), kind, **options)
    chance = random.Random(kind)
    rows = [whole[:chance.randrange(len(whole))] for _ in range(40)]
    for _ in range(80):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(min(len(data), 200))] = chance.randrange(256)
        rows.append(bytes(data))
    pixels, valid = batch([*rows, whole])
    assert valid.numpy()[-1]
    assert np.isfinite(pixels.numpy()).all()


def test_size_is_refused_before_pixels_are_allocated(batch):
    side = int(MAX_PIXELS ** 0.5)
    largest = encoded(Image.new("1", (side, side)), "PNG")
    webp = bytearray(encoded(photo().convert("RGBA").rotate(9), "WEBP"))
    assert webp[12:16] == b"VP8X"
    webp[24:30] = b"\xff" * 6  # 16,777,216 pixels square
    rows = [largest, png_header(side + 1, side) + largest[33:], bytes(webp)]
    _, valid = batch(rows)
    assert valid.numpy().tolist() == [True, False, False]


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(single):
    with Image.open(PHOTOS[0]) as image:
        large = image.convert("RGB").resize((2000, 1800), Image.Resampling.BICUBIC)
    pixels = single(encoded(large, "JPEG", quality=95)).numpy()
    full = tf.image.resize(np.asarray(large), [224, 224], antialias=True).numpy()
    assert np.abs(pixels - full).mean() < 0.5


@pytest.mark.parametrize("size", [96, 299])
def test_other_sizes(size):
    data = [PHOTOS[0].read_bytes(), encoded(photo((1300, 1200)), "JPEG"), USABLE["palette_alpha.png"], b"broken"]
    pixels, valid = decode_batch(data, size)
    assert pixels.shape == (4, size, size, 3) and valid.numpy().tolist() == [True, True, True, False]
    decoded = tf.io.decode_jpeg(data[0], channels=3, dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(pixels[0], tf.image.resize(decoded, [size, size], antialias=True))
    for index in range(3):
        np.testing.assert_array_equal(decode_and_resize(data[index], size), pixels[index])


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("before", [0, 5000])
def test_orientation_is_found_in_either_byte_order_and_behind_other_headers(single, order, before):
    small = Image.new("RGB", (224, 224), "white")
    small.paste("black", (0, 0, 224, 112))  # the upper half
    jpeg = encoded(small, "JPEG")

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)

    entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(3, 2) + bytes(2)
    other = number(0x0100, 2) + number(4, 2) + number(1, 4) + number(224, 4)
    start = (b"II" if order == "little" else b"MM") + number(42, 2) + number(8, 4)
    body = b"Exif\0\0" + start + number(2, 2) + other + entry + bytes(4)
    segments = b"\xff\xfe" + (before + 2).to_bytes(2, "big") + bytes(before)
    segments += b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    pixels = single(jpeg[:2] + segments + jpeg[2:]).numpy()
    np.testing.assert_array_equal(pixels, single(jpeg).numpy()[::-1, ::-1])


def test_the_saved_model_loader_runs_it(tmp_path):
    """`saved_model_cli run` loads as TensorFlow Serving does, in C++ and without this code."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def serve(image_bytes):
        images, valid = decode_batch(image_bytes, SIZE)
        return {"images": images, "valid": valid}

    tf.saved_model.save(module, str(tmp_path / "model"), signatures=serve)
    rows = [PHOTOS[0].read_bytes(), b"broken", BROKEN["first_50_percent.jpg"], USABLE["palette_alpha.png"]]
    np.savez(tmp_path / "request.npz", rows=np.array(rows, object))
    cli = os.path.join(os.path.dirname(sys.executable), "saved_model_cli")
    result = subprocess.run(
        [sys.executable, cli, "run", "--dir", str(tmp_path / "model"), "--tag_set", "serve", "--signature_def",
         "serving_default", "--inputs", f"image_bytes={tmp_path / 'request.npz'}[rows]", "--outdir", str(tmp_path)],
        capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert np.load(tmp_path / "valid.npy").tolist() == [True, False, False, True]
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy")[0], decode_and_resize(rows[0], SIZE))


def test_it_needs_no_particular_pipeline(single):
    """The function is the same eagerly, traced, and mapped by tf.data."""
    data = PHOTOS[1].read_bytes()
    mapped = next(iter(tf.data.Dataset.from_tensors(data).map(lambda data: decode_and_resize(data, SIZE))))
    np.testing.assert_array_equal(mapped, single(data))
    np.testing.assert_array_equal(decode_and_resize(io.BytesIO(data).read(), SIZE), single(data))
