import pytest

from records.sources import BadRow, Row
from records.sources.objects import certainty, file_of, is_row, rows_of
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


def test_objects_in_an_object_are_merged_where_none_is_lost():
    data = {"image": "a.jpg", "caption": "A dog."}
    (row,) = rows({"id": 1, "split": "val", "data": data, "meta": {}, "user": {"id": 3, "email": "x"}})
    assert (row.image, row.caption, row.split) == ("a.jpg", "A dog.", "validation")
    for value in ({"0": data, "1": {"file": "b.jpg", "text": "A cat."}}, {"0": data, "1": {"image": "b.jpg"}},
                  {"image": "a.jpg", "en": {"caption": "A dog."}, "de": {"caption": "Ein Hund."}}):
        assert not is_row(value)
        (row,) = rows(value)
        assert row.reason.startswith("object holds several objects with a photo or captions each: its keys are")


def test_how_sure_it_is_that_an_object_is_of_a_photo():
    assert [certainty(value) for value in (
        {"caption": "A dog."}, {"id": 7}, {"name": "My captions"}, {"image_id": 7}, {"name": "a.jpg"},
        {"data": {"file": "a.jpg"}})] == [0, 1, 1, 2, 3, 3]


def test_a_file_as_the_key_goes_before_an_id():
    for value in ({"id": 1, "caption": "x"}, {"image_id": 1, "caption": "x"}, {"caption": "x"}):
        assert rows(value, name="a.jpg")[0].image == "a.jpg"
    assert rows({"image_id": 1, "caption": "x"}, name="a")[0].image == "1"


def test_what_a_value_says_of_the_file():
    for value in ("a.jpg", ["a.jpg"], {"path": "a.jpg", "bytes": None}, "{'path': 'a.jpg', 'bytes': None}"):
        assert file_of(value) == "a.jpg"
