import math

import numpy as np
import pytest

from tagger.evaluation.metrics.captions import caption_scores
from tagger.evaluation.metrics.predictions import Prediction, Predictions


def predictions(*pairs: tuple[str, list[str]]) -> Predictions:
    images = [Prediction(f"{i}.jpg", tuple(caption.split()), tuple(tuple(r.split()) for r in references), (), (), ())
              for i, (caption, references) in enumerate(pairs)]
    return Predictions(images, (), np.zeros((len(images), 0)))


def test_perfect_captions_have_the_highest_scores():
    scores = caption_scores(predictions(("a dog runs on grass", ["a dog runs on grass"]),
                                        ("two men ride red bikes", ["two men ride red bikes"]))).values
    for name in ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"):
        assert scores[name] == pytest.approx(100, abs=1e-4)
    assert scores["cider"] == pytest.approx(1000)


def test_captions_that_share_no_word_with_their_references_score_nothing():
    scores = caption_scores(predictions(("a dog", ["two men ride"]), ("blue sky above", ["red car parked"]))).values
    assert all(value == pytest.approx(0, abs=1e-3) for value in scores.values())


def test_bleu_by_hand():
    # 1-grams: the (clipped 2 of 3), cat -> 3 of 4; 2-grams: "the cat" -> 1 of 3; lengths 4 against 6: exp(1 - 6/4).
    scores = caption_scores(predictions(("the the the cat", ["the cat is on the mat"]))).values
    brevity = math.exp(1 - 6 / 4)
    assert scores["bleu_1"] == pytest.approx(100 * brevity * 3 / 4, rel=1e-5)
    assert scores["bleu_2"] == pytest.approx(100 * brevity * math.sqrt(3 / 4 * 1 / 3), rel=1e-5)


def test_bleu_pools_counts_over_images():
    scores = caption_scores(predictions(("a b", ["a b"]), ("c d e f", ["c x y z"])))
    assert scores.values["bleu_1"] == pytest.approx(100 * 3 / 6, rel=1e-5)


def test_rouge_by_hand():
    # The longest common subsequence of "a dog runs" and "a black dog" is "a dog": precision 2/3, recall 2/3.
    one = caption_scores(predictions(("a dog runs", ["a black dog"])))
    assert one.values["rouge_l"] == pytest.approx(100 * 2 / 3)
    # Precision and recall are each the best over the references; beta is 1.2.
    two = caption_scores(predictions(("a dog runs", ["a black dog", "dog"])))
    precision, recall = 2 / 3, 1.0
    assert two.values["rouge_l"] == pytest.approx(100 * 2.44 * precision * recall / (recall + 1.44 * precision))


def test_cider_by_hand():
    # Two images, so a word that only one image's references hold weighs log 2; "a", in both, weighs 0.
    # Image 0: "a dog" against "a cat": no common weighted n-gram. Image 1: all 1- and 2-grams match, no longer ones.
    scores = caption_scores(predictions(("a dog", ["a cat"]), ("a man", ["a man"])))
    np.testing.assert_allclose(scores.per_image["cider"], [0, 100 * 10 * 2 / 4])
    # A caption one word longer than its reference pays exp(-1 / (2 * 6^2)); its length counts bigrams.
    longer = caption_scores(predictions(("red bird", ["red"]), ("man", ["man"]))).per_image["cider"]
    weight = math.log(2)
    cosine = weight * weight / (math.hypot(weight, weight) * weight)  # "bird", in no reference, weighs log 2 too
    assert longer[0] == pytest.approx(1000 * cosine * math.exp(-1 / 72) / 4)


def test_an_empty_caption_scores_nothing_and_breaks_nothing():
    scores = caption_scores(predictions(("", ["a dog runs"]), ("a man", ["a man sits"])))
    assert scores.per_image["cider"][0] == 0 and scores.per_image["rouge_l"][0] == 0
    assert all(math.isfinite(value) for value in scores.values.values())


@pytest.mark.parametrize("nothing", [[], [""]])
def test_images_without_a_reference_are_left_out_and_counted(nothing):
    """As photos without a tag are, with --target=tags."""
    both = caption_scores(predictions(("a dog", ["a dog"]), ("a cat", nothing), ("red car", ["red bus"])))
    alone = caption_scores(predictions(("a dog", ["a dog"]), ("red car", ["red bus"])))
    assert both.values == {**alone.values, "images_without_reference": 1}
    for name, values in both.per_image.items():
        assert math.isnan(values[1])
        np.testing.assert_array_equal(values[[0, 2]], alone.per_image[name])
    none = caption_scores(predictions(("a dog", nothing)))
    assert none.values.pop("images_without_reference") == 1 and set(none.values.values()) == {None}
