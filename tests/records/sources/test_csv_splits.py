"""A column of splits, told by its values wherever in the table they change."""

import pytest

from records.sources import BadRow, open_source, remarks
from records.sources.pieces import pieces_of, placed, read_piece, survey


def table(tmp_path, header, rows):
    path = tmp_path / "t.csv"
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]))
    return str(path)


def sorted_by_split(number):
    """Rows of Kaggle's form `class id,filepaths,labels,data set`, all of train first."""
    return [[str(n), f"{split}/{n}.jpg", '"a dog,\nand a, cat"', split]
            for split, count in (("train", number), ("valid", 5), ("test", 5)) for n in range(count)]


def in_pieces(path, images):
    pieces = pieces_of(path, "auto", images, piece_bytes=5000)
    while waiting := [piece for piece in pieces if not piece.is_placed]:
        pieces = placed(pieces, {piece.number: survey(piece) for piece in waiting})
    assert len(pieces) > 1
    return [row for piece in pieces for row in read_piece(piece)]


@pytest.mark.parametrize("number", [30, 1500])
def test_a_table_sorted_by_split_gives_its_splits(tmp_path, number):
    path = table(tmp_path, ["class id", "filepaths", "text", "data set"], sorted_by_split(number))
    rows = list(open_source(path, "auto", str(tmp_path)))
    assert [row.split for row in rows] == ["train"] * number + ["validation"] * 5 + ["test"] * 5
    assert remarks(path, "auto", str(tmp_path)) == ["t.csv: splits are those of the column data set"]
    assert number < 1000 or in_pieces(path, str(tmp_path)) == rows
    assert {row.split for row in open_source(path, "auto", str(tmp_path), own_splits=False)} == {None}


@pytest.mark.parametrize("last", ["train", "bus"])
def test_a_column_of_one_split_alone_or_of_vehicles_is_none(tmp_path, last):
    path = table(tmp_path, ["image", "caption", "vehicle"],
                 [[f"{n}.jpg", "a thing", "train" if n < 1200 else last] for n in range(1210)])
    rows = list(open_source(path, "auto", str(tmp_path)))
    assert len(rows) == 1210 and {row.split for row in rows} == {None}
    assert in_pieces(path, str(tmp_path)) == rows and remarks(path, "auto", str(tmp_path)) == []


def test_a_table_cut_into_files_gives_its_splits(tmp_path):
    rows = sorted_by_split(20)
    for number, part in enumerate((rows[:10], rows[10:20], rows[20:25], rows[25:])):
        table(tmp_path, ["id", "filepaths", "text", "data set"], part)
        (tmp_path / "t.csv").rename(tmp_path / f"part{number}.csv")
    parts = f"{tmp_path}/part*.csv"
    read = list(open_source(parts, "auto", str(tmp_path)))
    assert [row.split for row in read] == ["train"] * 20 + ["validation"] * 5 + ["test"] * 5
    assert [row for piece in pieces_of(parts, "auto", str(tmp_path)) for row in read_piece(piece)] == read
    assert remarks(parts, "auto", str(tmp_path)) == ["part0.csv and 3 more: splits are those of the column data set"]
    assert {row.split for row in open_source(f"{tmp_path}/part[01].csv", "auto", str(tmp_path))} == {None}


def test_of_columns_with_the_name_of_splits_the_one_that_holds_some_counts(tmp_path):
    path = table(tmp_path, ["image", "caption", "set", "partition"],
                 [["a.jpg", "a dog", "garden", "train"], ["b.jpg", "a cat", "house", "test"]])
    assert [row.split for row in open_source(path, "auto", str(tmp_path))] == ["train", "test"]


def test_a_cell_that_is_no_split_costs_its_row_not_the_column(tmp_path):
    path = table(tmp_path, ["image", "caption", "part"],
                 [[f"{n}.jpg", "a thing", "" if n == 7 else "Train Set" if n % 2 else "Test Set"] for n in range(40)])
    rows = list(open_source(path, "auto", str(tmp_path)))
    assert isinstance(rows[7], BadRow) and rows[7].reason == 'split is no name: ""'
    assert [rows[0].split, rows[1].split, len(rows)] == ["test", "train", 40]


def test_classes_are_the_same_in_pieces(tmp_path):
    path = table(tmp_path, ["image", "bird", "cat", "dog", "fold"],
                 [[f"{n}.jpg", "" if n < 1500 else "1.0", str(n % 2), "1", "train" if n < 1550 else "val"]
                  for n in range(1600)])
    rows = list(open_source(path, "auto", str(tmp_path)))
    assert rows[0].keywords == ("dog",) and rows[1599].keywords == ("bird", "cat", "dog")
    assert [rows[0].split, rows[1599].split] == ["train", "validation"]
    assert in_pieces(path, str(tmp_path)) == rows
