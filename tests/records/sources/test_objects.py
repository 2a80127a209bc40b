import pytest

from records.sources import BadRow, Row
from records.sources.objects import file_of, is_row, rows_of
from records.sources.table import Table

TABLE = Table("t.json", "")


def rows(value, **named):
    return list(rows_of(value, TABLE, "t.json:1", **named))


@pytest.mark.parametrize("value", [
    {"image": "a.jpg", "caption": "A dog."}, {"image": {"path": "a.jpg"}, "captions": ["A dog."]},
    {"url": "http://b/c.jpg", "file_name": "a.jpg", "sentences": [{"raw": "A dog."}]},
    {"image": "a.jpg", "conversations": [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A dog."}]},
    {"id": 1, "data": {"image": "a.jpg", "caption": "A dog."}}])
def test_objects_that_say_the_same(value):
    assert is_row(value)
    assert [(row.image, row.caption) for row in rows(value)] == [("a.jpg", "A dog.")]


def test_labels_of_annotations_count_once():
    (row,) = rows({"imagePath": "a.jpg", "shapes": [{"label": "dog"}, {"label": "dog"}, {"label": "grass"}]})
    assert row.keywords == ("dog", "grass")


def test_name_and_split_that_the_object_lacks():
    assert rows({"caption": "A dog."}, name="a.jpg", split="val") == [Row("a.jpg", "A dog.", "t.json:1", "validation")]
    assert rows({"image": "b.jpg", "caption": "A dog.", "split": "test"}, name="a.jpg", split="val") == [
        Row("b.jpg", "A dog.", "t.json:1", "test")]


@pytest.mark.parametrize(("value", "reason"), [
    ({"caption": "A dog."}, "object names no image"), ({"image": "a.jpg", "width": 3}, "object has no caption"),
    ({"image": "a.jpg", "captions": []}, "caption is empty"),
    ({"image": "a.jpg", "caption": "A dog.", "is_rejected": True}, "caption is marked is_rejected")])
def test_what_cannot_be_used_has_a_reason(value, reason):
    (row,) = rows(value)
    assert isinstance(row, BadRow) and row.reason.startswith(reason)


def test_what_a_value_says_of_the_file():
    for value in ("a.jpg", ["a.jpg"], {"path": "a.jpg", "bytes": None}, "{'path': 'a.jpg', 'bytes': None}"):
        assert file_of(value) == "a.jpg"
