"""Tables of 1 and 0: what is a class, what sets it, and that nothing is lost in silence."""

import pytest

from records.sources import Row, open_source, remarks
from records.sources.base import BadField
from records.sources.csv_flags import flags_of, is_on, split_flags, split_of


def read(tmp_path, header, rows, delimiter=","):
    """What comes out of a table: the keywords of each photo, the reasons of rows left out, and what is remarked."""
    path = tmp_path / "t.csv"
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in [header, *rows]))
    result = list(open_source(str(path), "auto", str(tmp_path)))
    return ({row.image: row.keywords for row in result if isinstance(row, Row)},
            {row.image: row.reason for row in result if not isinstance(row, Row)},
            remarks(str(path), "auto", str(tmp_path)))


@pytest.mark.parametrize(("cell", "value"), [
    ("1", True), ("1.0", True), ("1,0", True), (" True ", True), ("x", True), ("0", False), ("0.000", False),
    ("-1.0", False), ("-1", False), ("", False), ("NaN", False), ("no", False), ("3", None), ("0.7", None),
    ("maybe", None), ("inf", None)])
def test_what_a_cell_says(cell, value):
    assert is_on(cell) is value


def test_uncertain_and_blank_cells_are_off_and_cost_no_class(tmp_path):
    """CheXpert: -1.0 and blanks in every column, other columns before."""
    classes = ["No Finding", "Edema", "Fracture", "Pleural Other"]
    rows = [[f"p{n}/v.jpg", "Female", 40 + n, "-1.0" if n % 5 else "1.0", "1.0" if n % 2 else "",
             "0.0" if n % 3 else "-1.0", "" if n < 1300 else "1.0"] for n in range(1400)]
    good, bad, said = read(tmp_path, ["Path", "Sex", "Age", *classes], rows)
    assert len(good) + len(bad) == 1400 and set(bad.values()) == {"no keyword is set"}
    assert good["p0/v.jpg"] == ("No Finding",) and good["p1/v.jpg"] == ("Edema",)
    assert good["p1305/v.jpg"] == ("No Finding", "Edema", "Pleural Other")
    assert len(bad) == sum(n % 5 > 0 and n % 2 == 0 for n in range(1300))
    assert said == ["t.csv: keywords are the columns No Finding, Edema, Fracture, Pleural Other; no keywords, as they "
                    "hold more than 1 and 0, or nothing: Sex, Age"]


def test_a_class_that_is_blank_at_first_is_one(tmp_path):
    rows = [[f"{n}.jpg", "", n % 2, 1 - n % 2, ""] for n in range(30)]
    good, bad, said = read(tmp_path, ["image", "bird", "cat", "dog", "remark"],
                           [*rows, ["90.jpg", "", 1, 1, ""], ["91.jpg", "1", "", "", "fine"]])
    assert good["90.jpg"] == ("cat", "dog") and good["91.jpg"] == ("bird",) and not bad
    assert said == ["t.csv: keywords are the columns bird, cat, dog; no keywords, as they hold more than 1 and 0, or "
                    "nothing: remark"]


def test_a_cell_that_is_neither_is_left_out_by_name(tmp_path):
    good, bad, _ = read(tmp_path, ["image", "person", "car"],
                        [*([f"{n}.jpg", n % 2, 1 - n % 2] for n in range(30)), ["90.jpg", 3, 0], ["91.jpg", 1, 2]])
    assert len(good) == 30 and set(bad) == {"90.jpg", "91.jpg"}
    assert bad["91.jpg"].startswith('keyword\'s cell is neither on nor off: "2" in column "car"; write 1 or 0')


def test_one_odd_cell_among_the_first_costs_its_row_not_its_class(tmp_path):
    rows = [[f"{n}.jpg", "?" if n == 3 else n % 2, 1] for n in range(30)]
    good, bad, _ = read(tmp_path, ["image", "person", "car"], rows)
    assert list(bad) == ["3.jpg"] and good["1.jpg"] == ("person", "car") and len(good) == 29


def test_classes_may_be_called_like_other_columns(tmp_path):
    good, bad, _ = read(tmp_path, ["filename", "text", "title", "key", "picture"],
                        [["a.png", 1, 0, 1, 0], ["b.png", 0, 1, 0, 1]])
    assert good == {"a.png": ("text", "key"), "b.png": ("title", "picture")} and not bad


def test_classes_beside_a_column_of_text_are_named(tmp_path):
    good, bad, said = read(tmp_path, ["image", "label", "cat", "dog"], [["a.jpg", 1, 0, 1], ["b.jpg", 0, 1, 1]])
    assert good == {"a.jpg": ("1",), "b.jpg": ("0",)} and not bad
    assert said == ["t.csv: columns of 1 and 0 are not read, as label is: cat, dog"]


def test_numbers_of_rows_are_no_class():
    names = ["Unnamed: 0", "image", "photo_id", "", "dog", "cat"]
    rows = [["0", "a.jpg", "0", "0", "1", "0"], ["1", "b.jpg", "1", "1", "0", "1"]]
    assert flags_of(names, rows, {1}) == ([4, 5], [])


def test_keywords_in_a_german_spreadsheet(tmp_path):
    good, bad, _ = read(tmp_path, ["Image", "Katze", "Hund"], [["a.jpg", "1,0", "0,0"], ["b.jpg", "0,0", "1,0"]], ";")
    assert good == {"a.jpg": ("Katze",), "b.jpg": ("Hund",)} and not bad


def test_columns_of_one_split_each():
    assert split_flags(["image", "is_valid"]) == [(1, "validation")]
    assert split_of([(1, "validation")], ["a", "False"]) == "train"
    assert split_flags(["Is Train", "x"]) == [(0, "train")] and split_of([(0, "train")], ["0"]) == "test"
    assert split_flags(["is_car", "is_train"]) == []  # a train on rails
    two = [(0, "train"), (1, "test")]
    assert split_of(two, ["1", "0"]) == "train" and split_of(two, ["0", "1"]) == "test"
    for cells, reason in ((["1", "1"], "in several: train and test"), (["0", "0"], "in several: none"),
                          (["", "0"], "on nor off")):
        with pytest.raises(BadField, match=reason):
            split_of(two, cells)


def test_a_split_is_no_class(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("image,cat,dog,is_train\na.jpg,1,0,1\nb.jpg,1,1,0\n")
    for own, splits in ((True, ["train", "test"]), (False, [None, None])):
        rows = list(open_source(str(path), "auto", str(tmp_path), own_splits=own))
        assert [row.split for row in rows] == splits and [row.keywords for row in rows] == [("cat",), ("cat", "dog")]
    assert remarks(str(path), "auto", str(tmp_path))[1:] == ["t.csv: splits are those of is_train"]
    assert len(remarks(str(path), "auto", str(tmp_path), own_splits=False)) == 1
