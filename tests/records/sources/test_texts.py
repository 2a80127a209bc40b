import pytest

from records.sources.base import BadField
from records.sources.texts import texts, texts_of, written_value


@pytest.mark.parametrize(("value", "column", "expected"), [
    ("A dog.", "caption", ["A dog."]),
    ('["A dog.", "A brown dog."]', "caption", ["A dog.", "A brown dog."]),
    ("['A dog.' \"It's brown.\"]", "caption", ["A dog.", "It's brown."]),
    ([{"raw": "A dog.", "tokens": ["a", "dog"]}], "sentences", ["A dog."]),
    (["a", "dog"], "caption", ["a dog"]), (["Dog", "Cat"], "caption", ["Dog", "Cat"]),
    ("(a dog)", "caption", ["(a dog)"]),
    (["traffic light", "bus"], "tags", [["traffic light", "bus"]]), ("dog, cat", "tags", ["dog, cat"]),
    ("[dog, cat]", "tags", [["dog", "cat"]]), ([{"name": "dog"}, {"name": "cat"}], "labels", [["dog", "cat"]]),
    ({"dog": 0.9, "cat": 0.1}, "tags", [["dog", "cat"]]), ([], "tags", [])])
def test_what_a_value_says(value, column, expected):
    assert texts(value, column) == expected


def test_a_list_that_was_cut_is_refused():
    with pytest.raises(BadField, match="caption is a list that cannot be read"):
        texts("['A dog.', 'A bro", "caption")


def test_several_columns():
    assert texts_of([("caption_0", "A dog."), ("caption_1", ""), ("caption_2", "Grass.")]) == ["A dog.", "Grass."]
    assert texts_of([("tag1", "dog"), ("tag2", None), ("tag3", "traffic light")]) == [["dog", "traffic light"]]


def test_a_value_that_is_no_list():
    assert written_value("[broken") is None and written_value("dog") is None
    assert written_value('{"a": 1}') == {"a": 1}
