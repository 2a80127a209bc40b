"""Image checks: what can be used is used as a viewer shows it, what cannot has a reason, and nothing crashes."""

import io
import json
import os
import random
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps, features

from records.format import manifest as manifests
from records.images.files import BadImage, read_image
from records.images.validation import PixelHash, check_image
from tests.records.images.bad_images import broken, chunk, encoded, photo, png_header, usable
from tests.records.inputs import make, write_table

USABLE, BROKEN = usable(), broken()
STORED_AS_THEY_ARE = {
    "baseline.jpg", "progressive.jpg", "grey.jpg", "full_chroma.jpg", "restart_markers.jpg", "worst_quality.jpg",
    "trailing_bytes.jpg", "long_comment.jpg", "damaged_exif.jpg", "rgb.png", "grey.png", "text_chunk.png",
    "interlaced.png", "one_pixel.jpg", "one_pixel.png", "one_row.png", "jpeg_called.png", "no_suffix",
    "mit leerzeichen und ümläut 图.jpg", "n" * 240 + ".jpg"}


def test_the_corpus_is_large_enough():
    assert len(BROKEN) >= 60 and len(USABLE) >= 50


@pytest.mark.parametrize("name", USABLE)
def test_an_odd_image_is_stored_so_that_tensorflow_shows_what_a_viewer_shows(name):
    data = USABLE[name]()
    checked = check_image(data)
    assert (checked.storable == data) == (not checked.reencoded) == (name in STORED_AS_THEY_ARE)
    decoded = tf.io.decode_image(checked.storable, channels=3, expand_animations=False).numpy()
    assert decoded.shape == (checked.height, checked.width, 3) and decoded.dtype == np.uint8
    with Image.open(io.BytesIO(data)) as image:
        shown = ImageOps.exif_transpose(image) if name != "damaged_exif.jpg" else image
        if "16_bit" in name and shown.mode != "RGB":
            shown = Image.fromarray((np.asarray(shown) // 257).astype(np.uint8))
        elif shown.has_transparency_data:
            shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown.convert("RGBA"))
        expected = np.asarray(shown.convert("RGB")).astype(int)
    assert np.abs(decoded - expected).max() <= (6 if name.endswith(("jpg", "no_suffix", "jpeg_called.png")) else 0)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_has_a_reason(name):
    with pytest.raises(BadImage) as caught:
        check_image(BROKEN[name]())
    assert str(caught.value).startswith(("photo ", "JPEG data is corrupt: ", "PNG data is corrupt: "))
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(BadImage, match="photo is too large: more than 100,000,000 pixels"):
        check_image(png_header(20_000, 20_000) + chunk(b"IDAT", b"never read"))
    with pytest.raises(BadImage, match="photo is too large: 10,001 x 10,000 pixels, the limit is 100,000,000"):
        check_image(png_header(10_001, 10_000) + chunk(b"IDAT", b"never read"))


@pytest.mark.parametrize("hashed", [PixelHash.CRC32C, PixelHash.SHA256])
def test_the_same_picture_in_lossless_formats_has_one_hash_and_other_pictures_have_others(hashed):
    def pixel_hash(data):
        checked = check_image(data, hashed=hashed)
        assert checked.hashed is hashed
        return checked.pixel_hash

    image = photo()
    same = [encoded(image, "PNG"), encoded(image, "BMP"), encoded(image, "TIFF"), encoded(image, "PPM"),
            encoded(image, "WEBP", lossless=True), encoded(image, "PNG", compress_level=0)]
    assert len({pixel_hash(data) for data in same}) == 1
    jpeg = encoded(image, "JPEG")
    with Image.open(io.BytesIO(jpeg)) as decoded:
        assert pixel_hash(encoded(decoded, "PNG")) == pixel_hash(jpeg)
    others = [image.transpose(Image.Transpose.ROTATE_180), image.resize((30, 40)), photo(which=1)]
    assert len({pixel_hash(encoded(other, "PNG")) for other in [image, *others]}) == 4
    grey = image.convert("L")
    assert (pixel_hash(encoded(grey, "PNG"))
            == pixel_hash(encoded(grey.convert("RGB"), "PNG")))


def test_jpeg_files_of_the_same_picture_have_one_hash_at_an_eighth_of_their_size():
    image = photo((67, 45))
    for mode in ("RGB", "L"):
        same = [check_image(encoded(image.convert(mode), "JPEG", **options))
                for options in ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1},
                                {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"})]
        assert {checked.hashed for checked in same} == {PixelHash.EIGHTH}
        assert {(checked.height, checked.width) for checked in same} == {(45, 67)}
        assert len({checked.pixel_hash for checked in same}) == 1
        others = [photo((67, 45), 1), image.transpose(Image.Transpose.ROTATE_180), image.crop((0, 0, 66, 45))]
        hashes = {check_image(encoded(other.convert(mode), "JPEG")).pixel_hash for other in others}
        assert len(hashes | {same[0].pixel_hash}) == 4


def test_whatever_is_accepted_tensorflow_decodes():
    """Random damage: bytes replaced or cut off, in JPEG and PNG."""
    random_ = random.Random(0)
    sources = [encoded(photo((64, 48), which), kind, **options) for which, (kind, options) in enumerate([
        ("JPEG", {}), ("JPEG", {"progressive": True}), ("JPEG", {"restart_marker_blocks": 1}), ("PNG", {})])]
    accepted = refused = 0
    for number in range(600):
        data = bytearray(sources[number % 4])
        for _ in range(random_.choice((1, 5))):
            data[random_.randrange(len(data))] = random_.randrange(256)
        if number % 3 == 0:
            del data[random_.randrange(len(data)):]
        try:
            checked = check_image(bytes(data))
        except BadImage:
            refused += 1
            with pytest.raises(BadImage):
                check_image(bytes(data), hashed=PixelHash.CRC32C)
            continue
        assert check_image(bytes(data), hashed=PixelHash.CRC32C).storable == checked.storable
        accepted += 1
        decoded = tf.io.decode_image(checked.storable, channels=3, expand_animations=False)
        assert decoded.shape == (checked.height, checked.width, 3)
    assert accepted > 50 and refused > 300


def test_make_records_uses_all_that_can_be_used_and_lists_the_rest(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    rows = []
    for number, (name, data) in enumerate({**USABLE, **BROKEN}.items()):
        (images / name).write_bytes(data())
        rows.append((name, f"caption number {number}"))
    (images / "folder.jpg").mkdir()
    os.mkfifo(images / "pipe.jpg")
    (images / "loop.jpg").symlink_to("loop.jpg")
    rows += [(name, "a row") for name in ("folder.jpg", "pipe.jpg", "loop.jpg")]
    records = make(images, write_table(tmp_path / "captions.csv", rows), tmp_path / "r", workers=2,
                   split_fractions="train=1", shards="train=3")
    rejected = {json.loads(line)["image"] for line in (records / "rejected.jsonl").read_text().splitlines()}
    assert rejected == {*BROKEN, "folder.jpg", "pipe.jpg", "loop.jpg"}
    manifest = manifests.load(records)
    # Formats that keep the pixels of one photo are one picture; all captions are there.
    assert manifest.splits["train"].captions == len(USABLE)
    assert manifest.splits["train"].examples + manifest.duplicates_merged == len(USABLE)


def test_nothing_outside_the_folder_is_read(tmp_path):
    (tmp_path / "images" / "below").mkdir(parents=True)
    (tmp_path / "secret.jpg").write_bytes(encoded(photo(), "JPEG"))
    (tmp_path / "images" / "inside.jpg").write_bytes(encoded(photo(), "JPEG"))
    (tmp_path / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (tmp_path / "images" / "way_out").symlink_to(tmp_path)
    (tmp_path / "images" / "below" / "good_link.jpg").symlink_to("../inside.jpg")
    folder = str(tmp_path / "images")
    for name in ("../secret.jpg", "below/../../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg",
                 "way_out/secret.jpg", "..\\secret.jpg", "", "a\0b"):
        with pytest.raises(BadImage, match="outside --images"):
            read_image(folder, name)
    assert read_image(folder, "inside.jpg") == read_image(folder, "below/good_link.jpg")
    for name, reason in (("none.jpg", "does not exist"), ("inside.jpg/x", "does not exist"),
                         ("below", "cannot be read"), ("n" * 300, "cannot be read")):
        with pytest.raises(BadImage, match=reason):
            read_image(folder, name)


def test_avif_is_stored_as_tensorflow_reads_it():
    if not features.check("avif"):
        pytest.skip("this pillow has no AVIF")
    checked = check_image(encoded(photo((64, 48)), "AVIF"))
    assert checked.reencoded and (checked.height, checked.width) == (48, 64)
    assert tf.io.decode_image(checked.storable).shape == (48, 64, 3)


def test_heic_is_read_where_pillow_heif_is():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    checked = check_image(encoded(photo((64, 48)), "HEIF"))
    assert checked.reencoded and (checked.height, checked.width) == (48, 64)
    assert tf.io.decode_image(checked.storable).shape == (48, 64, 3)


def test_heic_without_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(BadImage, match=r"photo is HEIC, which needs pillow-heif: install .* \[heif\]"):
        check_image(b"\0\0\0\x18ftypheic" + bytes(60))
