"""Tables read in pieces: the rows of the table read whole, wherever it is cut."""

import gzip
import json
import random

import pytest

from records.sources import open_source
from records.sources.pieces import pieces_of, placed, read_piece, survey
from tests.records.inputs import write_photos


def in_pieces(captions, images, size):
    """All rows by way of pieces of `size` bytes, and how many pieces there were."""
    pieces = pieces_of(str(captions), "auto", str(images), piece_bytes=size)
    while waiting := [piece for piece in pieces if not piece.is_placed]:
        pieces = placed(pieces, {piece.number: survey(piece) for piece in waiting})
    return [row for piece in pieces for row in read_piece(piece)], len(pieces)


def csv_text():
    """Rows with quoted line breaks, quotes never closed, blank lines, three kinds of line ends."""
    choose = random.Random(5)
    forms = ["{0}.jpg,a dog", '{0}.jpg,"a ""big"" dog,\n\nwith a\r\ntail"', '{0}.jpg,"a quote never closed', "",
             "{0}.jpg", '{0}.jpg,"Hi" says the dog', "{0}.jpg,\ud83dé".encode("utf-8", "replace").decode(),
             '"{0}.jpg","a\ncat"',
             '{0}.jpg,"' + "line\n" * 40 + 'end"']
    rows = [choose.choice(forms).format(number) + choose.choice(["\n", "\r\n", "\n\n"]) for number in range(120)]
    return "image,caption\n" + "".join(rows)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt", "two.csv"])
def test_pieces_give_the_rows_of_the_whole_table(tmp_path, name):
    path = tmp_path / name
    if name == "a.csv":
        path.write_bytes(b"\xef\xbb\xbf" + csv_text().encode() + b"last.jpg,\xff byte")
    elif name == "a.jsonl":
        lines = [json.dumps({"image": f"{n}.jpg", "captions": ["a dog", "é" * (n % 7)]}) for n in range(60)]
        path.write_text("".join(line + "\n" * (1 + n % 2) for n, line in enumerate(lines)) + "no json")
    elif name == "a.txt":
        path.write_text("".join(f"{n}.jpg#{n % 3}\ta dog number {n}\r\n" for n in range(60)) + "no row\n")
    else:  # two tables, each cut
        path.write_text(csv_text())
        (tmp_path / "other.csv").write_text(csv_text().replace(".jpg", ".png"))
        path = f"{path},{tmp_path / 'other.csv'}"
    whole = list(open_source(str(path), "auto", str(tmp_path)))
    assert len(whole) > 50
    for size in (41, 333, 900):
        rows, count = in_pieces(path, tmp_path, size)
        assert rows == whole and count > 1


def test_what_cannot_be_cut_is_one_piece(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(csv_text().encode()))
    (tmp_path / "b.csv").write_bytes(csv_text().encode("utf-16"))
    (tmp_path / "c.json").write_text(json.dumps([{"image": f"{n}.jpg", "caption": "a dog"} for n in range(50)]))
    for name in ("a.csv.gz", "b.csv", "c.json"):
        rows, count = in_pieces(tmp_path / name, tmp_path, 64)
        assert count == 1 and rows == list(open_source(str(tmp_path / name), "auto", str(tmp_path)))


def test_the_folder_of_the_photos_is_that_of_the_first_rows(tmp_path):
    names = write_photos(tmp_path / "train2017", 3)
    (tmp_path / "train2017.csv").write_text("image,caption\n" + "".join(f"{name},a dog\n" for name in names))
    rows, count = in_pieces(tmp_path / "train2017.csv", tmp_path, 30)
    assert count > 1 and [row.image for row in rows] == [f"train2017/{name}" for name in names]
