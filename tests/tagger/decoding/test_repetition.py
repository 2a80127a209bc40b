import numpy as np
import pytest
import tensorflow as tf

from records.text.vocabulary import SPECIALS, Vocabulary
from tagger.decoding.repetition import RepetitionConstraint
from tests.tagger.decoding.markov import vocabulary


def allowed(mode, words, position):
    tokens = tf.constant([vocabulary().ids(words) + [0] * (4 - len(words))], tf.int32)
    p = RepetitionConstraint(vocabulary(), mode)(tf.fill([1, vocabulary().size], 0.1), tokens, tf.constant(position))
    return {word for word, value in zip(vocabulary().words, p[0].numpy(), strict=True) if value}


@pytest.mark.parametrize(("mode", "expected"), [
    ("none", {"<end>", "a", "dog", "runs"}),
    ("adjacent", {"<end>", "dog", "runs"}),
    ("content_words", {"<end>", "runs"}),
    ("all", {"<end>", "runs"}),
])
def test_after_a_dog_a(mode, expected):
    assert allowed(mode, ["a", "dog", "a"], 3) == expected


def test_function_words_may_come_again_content_words_may_not():
    assert allowed("content_words", ["a", "dog"], 2) == {"<end>", "a", "runs"}


@pytest.mark.parametrize("mode", ["none", "adjacent", "content_words", "all"])
def test_at_the_start_only_specials_are_forbidden(mode):
    assert allowed(mode, [], 0) == {"<end>", "a", "dog", "runs"}


def test_no_function_word_comes_again_before_a_content_word():
    words = Vocabulary((*SPECIALS, "a", "on", "dog"), (1,) * 6, (0, 0, 0, 0, 0, 1))
    constraint = RepetitionConstraint(words, "content_words")
    tokens = tf.constant([words.ids(["dog", "on", "a"]), words.ids(["on", "a", "dog"])], tf.int32)
    p = constraint(tf.fill([2, words.size], 0.1), tokens, tf.constant(3)).numpy()
    assert p[0, 3:].tolist() == [0, 0, 0]  # "dog on a" asks for another content word or an end
    assert (p[1, 3:] > 0).tolist() == [True, True, False]
    assert (p[:, 1] > 0).all()


def test_others_keep_their_probability():
    constraint = RepetitionConstraint(vocabulary(), "all")
    p = constraint(tf.constant([[.1, .2, .3, .1, .2, .1]]), tf.constant([[3, 0]]), tf.constant(1))
    np.testing.assert_allclose(p, [[0, .2, 0, 0, .2, .1]])


def test_an_unknown_mode_is_named():
    with pytest.raises(ValueError, match="block_repeats='some'"):
        RepetitionConstraint(vocabulary(), "some")
