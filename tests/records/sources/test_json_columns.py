import pytest

from flags.errors import UserError
from records.sources.json_columns import from_columns, from_lists
from records.sources.json_text import loads

ROWS = [{"image": "a.jpg", "caption": "A dog."}, {"image": "b.jpg", "caption": "A cat."}]


@pytest.mark.parametrize("value", [
    {"image": ["a.jpg", "b.jpg"], "caption": ["A dog.", "A cat."]},
    {"image": {"0": "a.jpg", "1": "b.jpg"}, "caption": {"0": "A dog.", "1": "A cat."}},
    {"caption": {"a.jpg": "A dog.", "b.jpg": "A cat."}},
    {"columns": ["image", "caption"], "index": [0, 1], "data": [["a.jpg", "A dog."], ["b.jpg", "A cat."]]},
    {"columns": ["caption"], "index": ["a.jpg", "b.jpg"], "data": [["A dog."], ["A cat."]]}])
def test_forms_of_pandas(value):
    assert from_columns(value, "t.json") == ROWS


def test_lists_of_cells():
    cells = [list(row.values()) for row in ROWS]
    assert from_lists(cells) == from_lists([["image", "caption"], *cells]) == ROWS
    assert from_lists([["image", "caption"], ["a.jpg", "A dog.", "A cat."], ["a.jpg"]]) == [
        ["a.jpg", "A dog.", "A cat."], {"image": "a.jpg"}]  # what has no column is not lost but no object
    for items in ([["a", "A dog."], ["b", "A cat."]], [["a.jpg", "b.jpg"]], [[{"image": "a.jpg"}, {}]], [[["a"], "b"]]):
        assert from_lists(items) is None


def test_columns_of_one_name_are_several():
    value = {"columns": ["image", "caption", "caption"], "data": [["a.jpg", "A dog.", "A cat."]]}
    assert from_columns(value, "") == [{"image": "a.jpg", "caption": "A dog.", "caption 1": "A cat."}]
    value = loads('{"image": ["a.jpg", "b.jpg"], "caption": ["A dog.", "A cat."], "caption": ["A", "B"]}')
    assert from_columns(value, "") == [{**ROWS[0], "caption 1": "A"}, {**ROWS[1], "caption 1": "B"}]


def test_a_split_for_all_and_values_that_a_column_lacks():
    value = {"split": "val", "image": ["a.jpg", "b.jpg"], "caption": ["A dog.", "A cat."]}
    assert from_columns(value, "") == [{"split": "val", **row} for row in ROWS]
    value = {"image": {"0": "a.jpg", "1": "b.jpg", "2": "c.jpg"}, "caption": {"0": "A dog.", "1": "A cat."}}
    assert from_columns(value, "") == [*ROWS, {"image": "c.jpg"}]


@pytest.mark.parametrize("value", [
    {"image": "a.jpg", "caption": "A dog."}, {"image": ["a.jpg"], "captions": ["A dog.", "A cat."]},
    {"image": {"path": "a.jpg"}, "caption": {"en": "A dog."}}, {"train": ["a.jpg"], "caption": {"a.jpg": "A dog."}}])
def test_what_is_no_columns(value):
    assert from_columns(value, "") is None


def test_a_shorter_column_is_named():
    value = {"image": ["a.jpg", "b.jpg"], "caption": ["A dog.", "A cat."], "caption_2": ["A brown dog."]}
    with pytest.raises(UserError, match="t.json: image has 2 entries and caption_2 1; give each photo its caption"):
        from_columns(value, "t.json")
