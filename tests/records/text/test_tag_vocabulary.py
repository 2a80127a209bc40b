import numpy as np
import pytest

from flags.errors import UserError
from records.text.tag_vocabulary import TagCounter, TagRules, TagVocabulary
from records.text.vocabulary import UNK, Vocabulary


def counted(forms="merged"):
    counter = TagCounter(TagRules(forms))
    for words in (["dogs", "running"], ["dog", "runs", "is"], ["dogs", "running", "grass"]):
        counter.add_caption(words)
    for keywords in (["New York", "Dog"], ["new york"], ["New York"]):
        counter.add_keywords(keywords)
    return counter


WORDS = Vocabulary.build({"dogs": 2, "dog": 2, "running": 2, "runs": 1, "grass": 1, "New York": 3, "is": 1}, {})


def test_forms_and_spellings_are_merged_and_each_tag_has_an_entry_of_the_vocabulary():
    tags = TagVocabulary.build(counted(), WORDS, 1, whole=False)
    assert tags.tags == ("Dog", "New York", "run", "grass") and tags.counts == (4, 3, 3, 1)
    assert tags.forms == (("dogs", "dog"), ("New York",), ("running", "runs"), ("grass",))
    assert [WORDS.words[entry] for entry in tags.outputs(WORDS)] == ["dogs", "New York", "running", "grass"]
    assert tags.names(["a", "dog", "dogs", "runs"]) == ("Dog", "run")
    of_entries = tags.of_entries(WORDS)
    assert {word: tags.tags[tag] for word, tag in zip(WORDS.words, of_entries, strict=True) if tag >= 0} == {
        "dogs": "Dog", "dog": "Dog", "running": "run", "runs": "run", "grass": "grass", "New York": "New York"}


def test_as_written_keeps_every_form():
    tags = TagVocabulary.build(counted("as_written"), Vocabulary.build(
        {word: 9 for word in ("dogs", "dog", "running", "runs", "grass", "New York", "new york", "Dog")}, {}), 2, False)
    assert tags.tags == ("New York", "dogs", "running")


def test_a_smaller_vocabulary_takes_the_next_form_and_then_none():
    tags = TagVocabulary.build(counted(), WORDS, 1, whole=False)
    smaller = Vocabulary.build({"dog": 2, "runs": 1}, {})
    assert list(tags.outputs(smaller)) == [smaller.ids(["dog"])[0], UNK, smaller.ids(["runs"])[0], UNK]
    assert np.count_nonzero(tags.of_entries(smaller) >= 0) == 2


def test_saved_and_loaded(tmp_path):
    assert TagVocabulary.load(tmp_path) is None
    tags = TagVocabulary.build(counted(), WORDS, 1, whole=False)
    tags.save(tmp_path)
    assert TagVocabulary.load(tmp_path) == tags
    assert (tmp_path / "tags.txt").read_text() == "Dog\nNew York\nrun\ngrass\n"
    (tmp_path / "tags.txt").write_text("Dog\nNew York\nrun\ncat\n")
    with pytest.raises(UserError, match="tag_forms.tsv:4"):
        TagVocabulary.load(tmp_path)
