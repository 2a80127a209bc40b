import pytest

from records.text.tag_forms import tag_of


@pytest.mark.parametrize(("tag", "forms"), [
    ("dog", "dog dogs"), ("person", "person people"), ("child", "child children"), ("run", "run runs running ran"),
    ("ride", "riding rides rode ridden"), ("swim", "swimming swims swam"), ("ski", "skiing skis"),
    ("lie", "laying lying"),
    ("carry", "carries carrying carried"), ("bench", "benches"), ("dive", "dives diving"), ("dress", "dress dresses"),
    ("old", "old older"), ("t-shirt", "t-shirt t-shirts"), ("sing", "singing sings sing"), ("fall", "falling fallen"),
    ("building", "building buildings"), ("bus", "bus"), ("grass", "grass"), ("shorts", "shorts"), ("tennis", "tennis"),
    ("pie", "pie pies"), ("tie", "tie ties"), ("brownie", "brownies"), ("browse", "browsing browsed"),
    ("tease", "teased"), ("order", "ordered ordering"), ("mustache", "mustaches"), ("wife", "wife wives"),
    ("walrus", "walruses"), ("lighthouse", "lighthouses"),
    ("red", "red"), ("snow-covered", "snow-covered"), ("sunglasses", "sunglasses"), ("parking", "parking")])
def test_the_forms_of_a_word_are_one_tag(tag, forms):
    assert {tag_of(word) for word in forms.split()} == {tag}


def test_words_that_nobody_looks_for_are_no_tags():
    light = "is are has it's doing next front looking wearing getting picture larger"
    assert {word: tag_of(word) for word in light.split()} == dict.fromkeys(light.split())


def test_as_written_merges_nothing_and_leaves_the_same_out():
    words = ("dogs", "running", "is", "wears")
    assert [tag_of(word, "as_written") for word in words] == ["dogs", "running", None, None]
