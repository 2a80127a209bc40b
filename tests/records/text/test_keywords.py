import pytest

from records.text.keywords import SpaceRule, split


@pytest.mark.parametrize(("cell", "keywords"), [
    ("golden retriever, New York", ["golden retriever", "New York"]), ("a;b | c", ["a", "b", "c"]),
    ("dog_park", ["dog_park"]), ("0, 16", ["0", "16"]), (' "Lake" ,, -, Lake', ["Lake"]), ("<unk>, 犬", ["unk", "犬"])])
def test_keywords_stay_as_they_are(cell, keywords):
    assert split(cell, spaces=False) == keywords
    assert split(cell, spaces=True) == keywords


def test_spaces_separate_only_where_nothing_else_does():
    assert split("dog cat", spaces=True) == ["dog", "cat"]
    assert split("dog cat", spaces=False) == ["dog cat"]


@pytest.mark.parametrize(("cells", "spaces"), [
    (["0 16", "7", "16"], True), (["dog cat", "dog cat", "dog", "outdoors"], True),
    (["outdoors", "dog outside"], False),
    (["golden retriever"] * 9 + ["tabby cat"] * 3, False), (["a b", "a", "b", "c, d"], False),
    (["dog", "cat"], False)])
def test_whether_spaces_separate_is_told_by_the_whole_column_in_any_order(cells, spaces):
    for order in (cells, cells[::-1]):
        rule = SpaceRule()
        for cell in order:
            rule.add(cell)
        assert rule.spaces == spaces


def test_a_rule_of_all_cells_from_rules_of_some():
    for cells in (["dog cat", "dog", "cat"], ["golden retriever", "golden retriever"], ["0 16", "16", "0 3", "7"]):
        whole, total = SpaceRule(), SpaceRule()
        for cell in cells:
            whole.add(cell)
            part = SpaceRule()
            part.add(cell)
            for entry in part.entries():
                total.add_entry(*entry)
        assert total.tally == whole.tally and total.spaces == whole.spaces
