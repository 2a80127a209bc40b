import functools

import numpy as np
import pytest
import tensorflow as tf

from records.text.vocabulary import Vocabulary
from tagger.decoding.decoder import Decoder
from tagger.modeling.merge_model import MergeModel

WORDS = {f"w{i:02}": 100 - i for i in range(40)}
VOCABULARY = Vocabulary.build(WORDS, {word: count for i, (word, count) in enumerate(WORDS.items()) if i % 2})
F = 12


def network(seed: int) -> MergeModel:
    """Random, and far enough from uniform to have opinions."""
    model = MergeModel(VOCABULARY.size, F, units=16, hidden_size=24)
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(generator.normal(scale=0.7, size=weight.shape))
    return model


def features(count: int) -> np.ndarray:
    return np.random.default_rng(9).normal(size=[count, F]).astype(np.float32)


@functools.cache
def traced(decoder, dtype):
    return tf.function(decoder.decode, autograph=False, input_signature=[
        tf.TensorSpec([None, F], dtype), tf.TensorSpec([], tf.int32), tf.TensorSpec([]), tf.TensorSpec([], tf.int32)])


def decode(decoder, feature, beam_width=3, length_penalty=0.7, max_length=None):
    run = traced(decoder, feature.dtype.name)
    return run(feature, beam_width, length_penalty, decoder.max_length if max_length is None else max_length)


@pytest.fixture(scope="module")
def decoder():
    return Decoder([network(0)], VOCABULARY, max_length=12, tags=5, tag_samples=6)


def test_the_score_is_what_the_model_says_of_the_caption(decoder):
    feature = features(6)
    decoded = decode(decoder, feature)
    for row in range(6):
        words = [int(t) for t in decoded.tokens[row] if t]
        target = np.array([[*words, 1]], np.int32)
        logits = decoder.models[0].token_logits(feature[row:row + 1], target[:, :-1], np.ones_like(target, bool))
        p = tf.nn.softmax(logits).numpy()[np.arange(len(words) + 1), target[0]]
        assert decoded.score[row].numpy() == pytest.approx(np.exp(np.log(p).mean()), rel=1e-4)


def test_rows_do_not_depend_on_their_batch(decoder):
    feature = features(9)
    together = decode(decoder, feature)
    for row in (0, 4, 8):
        alone = decode(decoder, feature[row:row + 1])
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
        np.testing.assert_array_equal(alone.tags[0], together.tags[row])
        np.testing.assert_allclose(alone.all_tag_scores[0], together.all_tag_scores[row], atol=1e-5)


def test_it_answers_the_same_every_time(decoder):
    first, again = decode(decoder, features(5)), decode(decoder, features(5))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_tags_are_tag_words_best_first_and_never_twice(decoder):
    decoded = decode(decoder, features(7))
    for tags, scores in zip(decoded.tags.numpy(), decoded.tag_scores.numpy(), strict=True):
        assert len(set(tags)) == 5 and all(int(tag[1:]) % 2 for tag in tags)
        assert (np.diff(scores) <= 0).all() and scores[0] <= 1 and scores[-1] >= 0


def test_fewer_tag_words_than_tags_asked_for():
    few = Vocabulary.build({"a": 3, "dog": 2}, {"dog": 2})
    model = MergeModel(few.size, F, units=8, hidden_size=8)
    decoded = decode(Decoder([model], few, max_length=3, tags=4), features(2))
    assert decoded.tags.numpy().tolist() == [[b"dog", b"", b"", b""]] * 2
    assert (decoded.tag_scores.numpy()[:, 1:] == 0).all()


def test_text_has_words_only(decoder):
    decoded = decode(decoder, features(8))
    for text, tokens in zip(decoder.text(decoded.tokens).numpy(), decoded.tokens.numpy(), strict=True):
        assert text.decode().split(" ") == VOCABULARY.decode(tokens)
        assert "<" not in text.decode()


def test_an_ensemble_averages_probabilities():
    feature, models = features(4), [network(0), network(1)]
    decoded = decode(Decoder(models, VOCABULARY, max_length=6), feature)
    for row in range(4):
        words = [int(t) for t in decoded.tokens[row] if t]
        target = np.array([[*words, 1]], np.int32)
        p = sum(tf.nn.softmax(model.token_logits(
            feature[row:row + 1], target[:, :-1], np.ones_like(target, bool))).numpy() for model in models) / 2
        p = p[np.arange(len(words) + 1), target[0]]
        assert decoded.score[row].numpy() == pytest.approx(np.exp(np.log(p).mean()), rel=1e-4)
    twice = decode(Decoder([models[0]] * 2, VOCABULARY, max_length=6), feature)
    once = decode(Decoder(models[:1], VOCABULARY, max_length=6), feature)
    np.testing.assert_array_equal(twice.tokens, once.tokens)
    np.testing.assert_allclose(twice.all_tag_scores, once.all_tag_scores, atol=1e-6)


def test_options_are_clipped_to_what_is_safe(decoder):
    feature = features(2)
    np.testing.assert_array_equal(decode(decoder, feature, beam_width=0).tokens,
                                  decode(decoder, feature, beam_width=1).tokens)
    assert decode(decoder, feature, max_length=99).tokens.shape == [2, 12]
    assert decode(decoder, feature, max_length=-1).tokens.shape == [2, 1]
    assert decode(decoder, feature, beam_width=10_000).tokens.shape == [2, 12]


def test_an_empty_batch(decoder):
    decoded = decode(decoder, features(0))
    assert [part.shape[0] for part in decoded] == [0] * 5
    assert decoder.text(decoded.tokens).shape == [0]


def test_a_row_that_is_not_finite_does_not_spoil_the_others(decoder):
    feature = features(3)
    clean = decode(decoder, feature)
    feature[1] = np.nan
    decoded = decode(decoder, feature)
    for row in (0, 2):
        np.testing.assert_array_equal(decoded.tokens[row], clean.tokens[row])
        np.testing.assert_array_equal(decoded.tags[row], clean.tags[row])


def test_half_precision_features_decode_like_the_float32_they_stand_for(decoder):
    half = features(3).astype(np.float16)
    np.testing.assert_array_equal(decode(decoder, half).tokens, decode(decoder, half.astype(np.float32)).tokens)


def test_no_models_is_an_error():
    with pytest.raises(ValueError, match="no models"):
        Decoder([], VOCABULARY, 5)


def test_tag_scores_are_of_the_probabilities_before_they_were_sharpened():
    feature, model, sharpened = features(4), network(0), network(0)
    for weight in sharpened.weights[-2:]:
        weight.assign(3 * weight)
    sharpened.inverse_temperature = 3.0
    plain = Decoder([model], VOCABULARY, 12, tag_samples=6)
    beams = plain.search(feature)
    before, after = (one._tag_scores(feature, beams, tf.constant(12)).numpy()
                     for one in (plain, Decoder([sharpened], VOCABULARY, 12, tag_samples=6)))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6)


def test_models_trained_to_rank_tags_are_asked_for_them():
    feature, models = features(3), [network(0), network(1)]
    captions = decode(Decoder(models, VOCABULARY, max_length=6), feature)
    for model in models:
        model.tag_prompt = True
    decoded = decode(Decoder(models, VOCABULARY, max_length=6), feature)
    np.testing.assert_array_equal(decoded.tokens, captions.tokens)
    p = sum(tf.sigmoid(model.tag_logits(model.image(feature))).numpy() for model in models) / 2
    np.testing.assert_allclose(decoded.all_tag_scores, p[:, VOCABULARY.is_tag], atol=1e-6)
    best = np.where(VOCABULARY.is_tag, p, -1).argmax(axis=1)
    assert decoded.tags.numpy()[:, 0].tolist() == [VOCABULARY.words[i].encode() for i in best]
