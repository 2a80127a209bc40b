import pytest

from records.sources.json_text import Several, is_lines, loads, values_of


def test_no_value_of_a_repeated_key_is_lost():
    value = loads('{"a": {"b": 1, "b": [2], "b": 1}, "c": [1, 2], "a": 3}')
    assert value == {"a": [{"b": [1, [2], 1]}, 3], "c": [1, 2]}
    assert isinstance(value["a"], Several) and values_of(value["a"]) == [{"b": [1, [2], 1]}, 3]
    assert values_of(value["c"]) == [[1, 2]] and values_of(7) == [7]
    assert list(loads('{"b": 1, "a": 2, "b": 3}')) == ["b", "a"]


@pytest.mark.parametrize(("head", "expected"), [
    ('{"a": 1}\n{"a": 2}\n', True), ('{"a": 1}\n', False), ('{\n"a": 1}\n', False), ("[" * 90_000 + "\n1", False)])
def test_lines_are_whole_values(head, expected):
    assert is_lines(head) is expected
