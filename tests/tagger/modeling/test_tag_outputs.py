import numpy as np
import tensorflow as tf

from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import Vocabulary
from tagger.modeling.tag_outputs import TagOutputs

WORDS = Vocabulary.build({"a": 9, "dogs": 5, "dog": 4, "runs": 3, "red": 2}, {"dog": 4, "dogs": 5, "red": 1})
TAGS = TagVocabulary(("dog", "New York", "run"), (9, 5, 3), (("dogs", "dog"), ("New York",), ("runs",)))


def test_tags_with_an_entry_of_the_vocabulary():
    outputs = TagOutputs.of(WORDS, TAGS)
    assert outputs.size == 2 and list(outputs.names) == ["dog", "run"]
    assert [WORDS.words[entry] for entry in outputs.entries] == ["dogs", "runs"]
    assert {word: outputs.names[tag] for word, tag in zip(WORDS.words, outputs.of_entries, strict=True) if tag >= 0
            } == {"dogs": "dog", "dog": "dog", "runs": "run"}


def test_without_a_tag_vocabulary_words_that_are_often_tags_are_those():
    outputs = TagOutputs.of(WORDS, None)
    assert list(outputs.names) == ["dogs", "dog", "red"]
    assert [WORDS.words[entry] for entry in outputs.entries] == list(outputs.names)
    assert (outputs.of_entries >= 0).sum() == 3


def test_rates_of_captions():
    outputs = TagOutputs.of(WORDS, TAGS)
    captions = np.zeros((4, 4), np.int32)
    captions[0, :3], captions[1, :2] = WORDS.ids(["dog", "dogs", "a"]), WORDS.ids(["dog", "red"])
    # The first counts once; no caption has a run, which gets half of one.
    np.testing.assert_allclose(outputs.rates(captions), [2 / 4, 0.5 / 4])


def test_logits_and_what_occurs():
    outputs = TagOutputs.of(WORDS, TAGS)
    logits = tf.constant([np.arange(WORDS.size, dtype=np.float32)])
    assert outputs.logits(logits).numpy().tolist() == [[float(entry) for entry in WORDS.ids(["dogs", "runs"])]]
    rows = [WORDS.ids(["a", "dog", "dogs"]), [*WORDS.ids(["runs"]), 1, 0], [0, 0, 0]]
    assert outputs.occur(tf.constant(rows, tf.int32)).numpy().tolist() == [[1, 0], [0, 1], [0, 0]]
