import pytest

from records.text.pattern import lexicon, part_of_speech, singular


@pytest.mark.parametrize(("word", "tag"), [("dog", "NN"), ("dogs", "NNS"), ("running", "VBG"), ("red", "JJ"),
                                           ("quickly", "RB"), ("blorps", "NNS")])
def test_part_of_speech(word, tag):
    assert part_of_speech(word) == tag


def test_singulars():
    assert [singular(noun) for noun in ("dogs", "children", "ladies", "wolves")] == ["dog", "child", "lady", "wolf"]


def test_the_lexicon_is_the_whole_one():
    assert len(lexicon()) > 90_000 and lexicon()["dog"] == "NN"
