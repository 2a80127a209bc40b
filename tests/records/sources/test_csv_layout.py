import pytest

from records.sources.csv_flags import keywords
from records.sources.csv_layout import Layout, layout_of
from records.sources.table import Table


def layout(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, newline="")
    return layout_of(Table(str(tmp_path / "t.csv"), ""))


@pytest.mark.parametrize("delimiter", [",", "\t", "|", ";"])
def test_by_header(tmp_path, delimiter):
    found = layout(tmp_path, "split,caption,file\ntrain,a dog,a.jpg\n".replace(",", delimiter))
    assert found == Layout(delimiter, 3, 2, ((1, "caption"),), split=0, header_line=1)


def test_below_a_title(tmp_path):
    assert layout(tmp_path, "# photos of 2020\n\nimage,caption\na.jpg,a dog\n").header_line == 3


def test_by_rows(tmp_path):
    assert layout(tmp_path, "a.jpg,a dog\nb.png,a cat\n") == Layout(",", 2, 0, ((1, ""),))
    assert layout(tmp_path, "train;a dog;a.jpg\ntest;a cat;b.jpg\n") == Layout(";", 3, 2, ((1, ""),), split=0)


def test_columns_of_zeros_and_ones_are_keywords(tmp_path):
    found = layout(tmp_path, "filename,dog,cat\na.jpg,1,0\nb.jpg,1,1\n")
    assert found.flags == ((1, "dog"), (2, "cat")) and found.texts == ()
    assert keywords(found.flags, ["a.jpg", "1", "0"]) == ["dog"]
    assert keywords(found.flags, ["b.jpg", "1", "1"]) == ["dog", "cat"]


def test_no_table(tmp_path):
    assert layout(tmp_path, "Once upon a time\nthere was a dog\n") is None


def test_how_many_fields_fit():
    one, several = Layout(",", 2, 0, ((1, "caption"),)), Layout(",", 3, 0, ((1, "caption_0"), (2, "caption_1")))
    assert one.fits(["a", "b"]) and one.fits(["a", "b", "", " "]) and not one.fits(["a", "b", "c"])
    assert several.fits(["a", "b"]) and not several.fits(["a"]) and not several.fits("row is no CSV")
