import io

import numpy as np
import pytest
from PIL import Image

from records.images.contact_sheet import GREEN, INK, RED, Cell, draw
from tests.conftest import ROOT

PHOTO = sorted((ROOT / "tagger" / "demo_data" / "images").glob("*.jpg"))[0].read_bytes()


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def sheet(tmp_path, cells, columns=4, title=""):
    draw(cells, columns, tmp_path / "sheet.png", title)
    return np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)


def has_colour(pixels, colour, tolerance=12):
    wanted = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)])
    return bool((np.abs(pixels - wanted).max(-1) <= tolerance).any())


def test_size_follows_the_number_of_cells(tmp_path):
    cell = Cell(PHOTO, [("a dog", INK)])
    one, row, rows = (sheet(tmp_path, [cell] * n).shape for n in (1, 4, 9))
    assert one[0] == row[0] < rows[0]
    assert one[1] < row[1] == rows[1]


def test_an_empty_sheet_is_a_picture_too(tmp_path):
    assert sheet(tmp_path, [], title="nothing found").size


def test_photos_keep_their_shape_inside_the_box(tmp_path):
    tall, wide = (encoded(Image.new("RGB", size, "#ff0000")) for size in ((100, 400), (400, 100)))
    for data, ratio in ((tall, 0.25), (wide, 4.0)):
        red = (sheet(tmp_path, [Cell(data, [])]) == [255, 0, 0]).all(-1)
        rows, columns = np.nonzero(red)
        shape = np.ptp(columns) + 1, np.ptp(rows) + 1
        assert shape[0] / shape[1] == pytest.approx(ratio, rel=0.03)
        assert red.sum() == shape[0] * shape[1]


def test_rotation_tags_are_followed(tmp_path):
    image = Image.new("RGB", (400, 100), "#ff0000")
    exif = Image.Exif()
    exif[0x0112] = 6
    red = (sheet(tmp_path, [Cell(encoded(image, exif=exif), [])]) == [255, 0, 0]).all(-1)
    rows, columns = np.nonzero(red)
    assert np.ptp(rows) > np.ptp(columns)


def test_lines_have_their_colours(tmp_path):
    pixels = sheet(tmp_path, [Cell(None, [("right right", GREEN), ("wrong wrong", RED)])])
    assert has_colour(pixels, GREEN) and has_colour(pixels, RED)
    assert not has_colour(sheet(tmp_path, [Cell(None, [("right", GREEN)])]), RED)


def test_words_are_apart(tmp_path):
    """"a man" is no "aman": the space is wider than the gaps between letters."""
    pixels = sheet(tmp_path, [Cell(None, [("a man", INK)])])
    ink = np.flatnonzero((pixels.max(-1) < 128)[-60:].any(axis=0))  # below the photo
    gaps = sorted(np.diff(ink))
    assert gaps[-1] >= 2 * gaps[-2], gaps


@pytest.mark.parametrize("text", [
    "", " ", "x" * 3_000, "word " * 3_000, "Ünïcode ß “quotes” …", "Собака бежит по траве", "日本語のキャプション" * 20,
    "مرحبا", "नमस्ते", "\U0001f436 dog", "tab\tline\nbreak", "NUL \0 bell \x07", "half \ud83d emoji",
    "\u202eright to left"])
def test_any_text_is_drawn_within_its_cell(tmp_path, text):
    plain = sheet(tmp_path, [Cell(PHOTO, [("a dog", INK)])]).shape
    drawn = sheet(tmp_path, [Cell(PHOTO, [(text, INK)])], title=text).shape
    assert drawn[1] == plain[1]
    assert drawn[0] < plain[0] + 300


@pytest.mark.parametrize("image", [
    None, b"", b"no picture", PHOTO[:500], encoded(Image.new("L", (1, 1))), encoded(Image.new("RGBA", (50, 3000))),
    encoded(Image.new("CMYK", (30, 30)), "JPEG"), encoded(Image.new("I;16", (30, 30))),
    encoded(Image.new("P", (9, 9)), "GIF"),
    encoded(Image.new("1", (20_000, 20_000)))])
def test_any_bytes_are_drawn(tmp_path, image):
    lines = [("a dog", INK)]
    assert sheet(tmp_path, [Cell(image, lines)]).shape == sheet(tmp_path, [Cell(PHOTO, lines)]).shape
