import numpy as np
import pytest
import tensorflow as tf

from records.text.vocabulary import END
from tagger.decoding.beam_search import beam_search
from tagger.decoding.repetition import RepetitionConstraint
from tests.tagger.decoding.markov import Markov, caption, features, vocabulary

LONGEST = 4
ALL = 200  # more beams than there are captions


def searcher(model, block="none"):
    """The search of one model, traced once for all batches and options."""
    run = tf.function(
        lambda f, k, a, n: beam_search(model.prefill, model.decode_step, f,
                                       RepetitionConstraint(vocabulary(), block), k, a, n),
        input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([], tf.int32), tf.TensorSpec([]),
                         tf.TensorSpec([], tf.int32)], autograph=False)
    return lambda feature, width=3, penalty=0.7, longest=LONGEST: run(feature, width, penalty, longest)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.5])
def test_with_enough_beams_finds_the_best_of_all_captions(penalty):
    for seed in range(3):
        model, feature = Markov(seed), features(4, seed)
        beams = searcher(model)(feature, ALL, penalty)
        for row in range(4):
            every = model.captions(feature[row], LONGEST)
            best = max(every, key=lambda words: every[words] / (len(words) + 1) ** penalty)
            assert caption(beams.tokens[row, 0].numpy()) == best
            assert beams.log_probability[row, 0].numpy() == pytest.approx(every[best], abs=1e-4)
            assert beams.length[row, 0] == len(best) + 1


def test_finished_captions_come_best_first_each_once():
    model, feature = Markov(1), features(2)
    beams = searcher(model)(feature, 8, 0.7)
    for row in range(2):
        every = model.captions(feature[row], LONGEST)
        found = [caption(tokens) for tokens in beams.tokens[row].numpy()]
        assert len(set(found)) == 8
        ranks = [every[words] / (len(words) + 1) ** 0.7 for words in found]
        assert ranks == sorted(ranks, reverse=True)


def test_one_beam_is_greedy():
    model, feature = Markov(2), features(20)
    beams = searcher(model)(feature, 1)
    for row in range(20):
        words: tuple[int, ...] = ()
        while len(words) < LONGEST:
            p = model.p(feature[row], words)
            p[[0, 2]] = 0
            if np.argmax(p) == END:
                break
            words += (int(np.argmax(p)),)
        assert caption(beams.tokens[row, 0].numpy()) == words


def test_a_row_is_the_same_alone_and_in_any_batch():
    model, feature = Markov(3), features(17)
    search = searcher(model)
    together = search(feature)
    for row in range(17):
        alone = search(feature[row:row + 1])
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
        np.testing.assert_allclose(alone.log_probability[0], together.log_probability[row], rtol=1e-5)


def test_an_empty_batch_gives_an_empty_answer():
    beams = searcher(Markov(0))(features(0))
    assert beams.tokens.shape == [0, 3, LONGEST]


def test_max_length_is_kept_and_the_end_costs_what_the_model_says():
    model, feature = Markov(4), features(5)
    model.table[:, END] = -9.0  # it would rather go on for ever
    beams = searcher(model)(feature, longest=2)
    for row in range(5):
        words = caption(beams.tokens[row, 0].numpy())
        assert len(words) == 2
        assert beams.log_probability[row, 0].numpy() == pytest.approx(model.captions(feature[row], 2)[words], abs=1e-4)


@pytest.mark.parametrize("block", ["adjacent", "content_words", "all"])
def test_blocked_repeats_never_come_back(block):
    model, feature = Markov(5), features(12)
    model.table[3:, 3:] += 3.0 * np.eye(3)  # loves to repeat itself
    model.table[:, END] -= 2.0
    free = [caption(row[0]) for row in searcher(model)(feature).tokens.numpy()]
    assert any(len(words) > len(set(words)) for words in free)
    a = vocabulary().ids(["a"])[0]
    for row in searcher(model, block)(feature).tokens.numpy():
        words = caption(row[0])
        assert all(first != second for first, second in zip(words, words[1:], strict=False))
        if block != "adjacent":
            kept = [word for word in words if block == "all" or word != a]
            assert len(kept) == len(set(kept))
