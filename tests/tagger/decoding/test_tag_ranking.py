import numpy as np
import tensorflow as tf

from records.text.vocabulary import END
from tagger.decoding.beam_search import Beams
from tagger.decoding.tag_ranking import noise, tag_marginals
from tagger.modeling.tag_outputs import TagOutputs
from tests.tagger.decoding.markov import SIZE, Markov, features

LONGEST = 3


def no_beams(batch: int) -> Beams:
    """One beam a row, that never finished."""
    never = tf.fill([batch, 1], np.float32(-np.inf))
    return Beams(tf.zeros([batch, 1, LONGEST], tf.int32), never, tf.zeros([batch, 1], tf.int32))


EACH_WORD = TagOutputs(np.arange(SIZE), np.arange(SIZE, dtype=np.int32), np.arange(SIZE, dtype=np.int32))


def scores(model, feature, uniform, beams=None, tags=EACH_WORD):
    run = tf.function(lambda f: tag_marginals(
        model.prefill, model.decode_step, f, uniform, beams or no_beams(len(feature)), LONGEST, tags))
    return run(tf.constant(feature)).numpy()


def along(model, feature, words):
    """1 - prod (1 - p_t) along one path, by hand."""
    absent = np.ones(SIZE)
    for t in range(min(len(words) + 1, LONGEST)):
        absent *= 1 - model.p(feature, words[:t])
    return 1 - absent


def expectation(model, feature, words=(), probability=1.0):
    """The mean over all paths, each with its probability; <pad> and <unk> are not sampled."""
    if len(words) == LONGEST or (words and words[-1] == END):
        body = words[:-1] if words[-1] == END else words
        return probability * along(model, feature, body)
    p = model.p(feature, words)
    p[[0, 2]] = 0
    p /= p.sum()
    return sum(expectation(model, feature, (*words, word), probability * p[word]) for word in np.flatnonzero(p))


def test_many_samples_come_close_to_the_mean_over_all_paths():
    model, feature = Markov(0), features(3)
    found = scores(model, feature, noise(4000, LONGEST))
    for row in range(3):
        np.testing.assert_allclose(found[row], expectation(model, feature[row]), atol=0.01)


def test_few_stratified_samples_are_close_too():
    model, feature = Markov(1), features(20)
    found = scores(model, feature, noise(16, LONGEST))
    wanted = np.array([expectation(model, f) for f in feature])
    assert np.abs(found - wanted).mean() < 0.02


def test_beams_alone_are_exact():
    model, feature = Markov(2), features(2)
    tokens = np.array([[[3, 4, 0], [5, 0, 0]], [[4, 0, 0], [3, 3, 3]]], np.int32)
    log_p = np.array([[-1, -2], [-1, -np.inf]], np.float32)  # the second row finished one beam only
    beams = Beams(tf.constant(tokens), tf.constant(log_p), tf.zeros([2, 2], tf.int32))
    found = scores(model, feature, noise(0, LONGEST), beams)
    np.testing.assert_allclose(
        found[0], (along(model, feature[0], (3, 4)) + along(model, feature[0], (5,))) / 2, atol=1e-6)
    np.testing.assert_allclose(found[1], along(model, feature[1], (4,)), atol=1e-6)


def test_a_tag_occurs_where_one_of_its_forms_does():
    model, feature = Markov(2), features(1)
    beams = Beams(tf.constant([[[3, 4, 0]]]), tf.constant([[-1.0]]), tf.zeros([1, 1], tf.int32))
    of_entries = np.full(SIZE, -1, np.int32)
    of_entries[[3, 5]], of_entries[4] = 1, 0
    tags = TagOutputs(np.array(["one", "two"], object), np.array([4, 3], np.int32), of_entries)
    words = along(model, feature[0], (3, 4))
    found = scores(model, feature, noise(0, LONGEST), beams, tags)
    np.testing.assert_allclose(found[0], [words[4], 1 - (1 - words[3]) * (1 - words[5])], atol=1e-6)


def test_a_row_does_not_depend_on_its_place():
    model, feature = Markov(3), features(9)
    together = scores(model, feature, noise(8, LONGEST))
    np.testing.assert_allclose(scores(model, feature[::-1], noise(8, LONGEST))[::-1], together, atol=1e-6)
    np.testing.assert_allclose(scores(model, feature[4:5], noise(8, LONGEST))[0], together[4], atol=1e-6)


def test_every_stratum_is_sampled_once_at_each_position():
    uniform = noise(8, 5)
    np.testing.assert_array_equal(np.sort((uniform * 8).astype(int), axis=1), np.tile(np.arange(8), (5, 1)))


def test_an_empty_batch():
    assert scores(Markov(0), features(0), noise(4, LONGEST)).shape == (0, SIZE)
