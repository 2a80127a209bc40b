import numpy as np
import pytest
import tensorflow as tf

from records.text.vocabulary import END, PAD, UNK
from tagger.losses.sampling import draw_words, sample_captions
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import pack

V, FEATURE, LONGEST = 8, 6, 5


def test_samples_follow_the_model():
    network, count = MergeModel(V, FEATURE, units=16, hidden_size=8), 20_000
    feature = tf.constant(np.random.default_rng(0).normal(size=[1, FEATURE]).astype(np.float32))
    image = tf.repeat(network.image(feature), count, axis=0)
    uniform = np.random.default_rng(1).random([count, LONGEST]).astype(np.float32)
    sampled = sample_captions(network, image, tf.constant(uniform)).words.numpy()
    logits, state = network.prefill(feature)
    p = tf.nn.softmax(logits).numpy()[0]
    p[[PAD, UNK]] = 0
    np.testing.assert_allclose(np.bincount(sampled[:, 0], minlength=V) / count, p / p.sum(), atol=0.015)
    p = tf.nn.softmax(network.decode_step(state, tf.constant([5]))[0]).numpy()[0]
    p[[PAD, UNK]] = 0
    after = sampled[sampled[:, 0] == 5, 1]
    np.testing.assert_allclose(np.bincount(after, minlength=V) / len(after), p / p.sum(), atol=0.04)
    ended = np.cumsum(sampled == END, axis=1) - (sampled == END) > 0
    assert (sampled[ended] == PAD).all() and (sampled[~ended] != PAD).all() and not (sampled == UNK).any()


def test_words_are_where_the_cumulative_probability_passes_the_number():
    rng, forbidden = np.random.default_rng(3), [0, 2, 63, 64, 191]
    logits = rng.normal(size=[500, 192]).astype(np.float32) * 40  # probabilities from 1 to 1e-70
    logits[:, forbidden] = -np.inf
    uniform = rng.random(500).astype(np.float32)
    uniform[:200], uniform[200:400] = 0.0, 1 - 2.0 ** -24
    words = draw_words(tf.constant(logits), tf.constant(uniform)).numpy()
    p = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    cumulative = np.cumsum(p, axis=1) / p.sum(1, keepdims=True)
    row = np.arange(500)
    assert (p[row, words] > 0).all() and not np.isin(words, forbidden).any()
    assert (np.where(words > 0, cumulative[row, words - 1], 0) <= uniform + 1e-5).all()
    assert (cumulative[row, words] >= uniform - 1e-5).all()


@pytest.mark.parametrize("compute_dtype", ["float32", "bfloat16"])
def test_activations_are_those_of_a_pass_over_the_captions(compute_dtype):
    network = MergeModel(V, FEATURE, units=16, hidden_size=8, compute_dtype=compute_dtype)
    rng = np.random.default_rng(2)
    image = network.image(tf.constant(rng.normal(size=[30, FEATURE]).astype(np.float32)))
    samples = sample_captions(network, image, tf.constant(rng.random([30, LONGEST]).astype(np.float32)))
    words = samples.words.numpy()
    packing = pack(words != PAD)
    assert 30 < len(packing.index) < words.size  # some are shorter than others
    inputs = tf.constant(np.where(words == END, PAD, words)[:, :-1])
    known = network.hidden(image, inputs, packing, passed=samples.at(packing))
    tolerance = 1e-5 if compute_dtype == "float32" else 0.02
    np.testing.assert_allclose(known, network.hidden(image, inputs, packing), atol=tolerance)


def test_numbers_that_are_not_finite_give_a_word_of_the_vocabulary():
    network = MergeModel(V, FEATURE, units=16, hidden_size=8)
    words = sample_captions(network, tf.fill([2, 16], float("nan")), tf.zeros([2, LONGEST])).words.numpy()
    assert ((words > 0) & (words < V)).all()
