from itertools import permutations

import numpy as np
import pytest

from tagger.evaluation.metrics.predictions import Prediction, Predictions
from tagger.evaluation.metrics.tags import (
    average_precision,
    caption_tag_scores,
    chance_average_precision,
    f1,
    ranked_tag_scores,
    tag_average_precision,
)


def image(caption_tags: str = "", ranked: str = "", references: tuple[str, ...] = ()) -> Prediction:
    return Prediction("x.jpg", (), (), tuple(caption_tags.split()), tuple(ranked.split()),
                      tuple(tuple(tags.split()) for tags in references))


def predictions(*images: Prediction, frequent: tuple[str, ...] = (), scores: object = None) -> Predictions:
    array = np.zeros((len(images), 0)) if scores is None else np.array(scores, float)
    return Predictions(images, frequent, array)


def test_caption_tags_are_scored_against_the_union_of_the_captions():
    scores = caption_tag_scores(predictions(
        image("dog cat", references=("dog runs", "grass")),  # 1 of 2 right, 1 of 3 found
        image("man", references=("man", "man rides")))).values  # 1 of 1 right, 1 of 2 found
    assert scores["tag_precision"] == pytest.approx(2 / 3)
    assert scores["tag_recall"] == pytest.approx(2 / 5)
    assert scores["tag_f1"] == pytest.approx(f1(2 / 3, 2 / 5))


def test_perfect_and_absent_caption_tags():
    perfect = caption_tag_scores(predictions(image("dog runs", references=("dog", "runs")))).values
    assert set(perfect.values()) == {1.0}
    nothing = caption_tag_scores(predictions(image("", references=("dog",)), image("", references=()))).values
    assert set(nothing.values()) == {0.0}


def test_per_image_tag_f1_is_that_of_the_image_alone():
    scores = caption_tag_scores(predictions(image("a b", references=("b c d",)), image("e", references=("e",))))
    np.testing.assert_allclose(scores.per_image["tag_f1"], [f1(1 / 2, 1 / 3), 1])


def test_at_five_counts_only_tags_of_two_captions_and_only_the_first_five():
    one = image(ranked="dog cat runs a b grass", references=("dog runs grass", "dog grass", "dog runs", "tree"))
    scores = ranked_tag_scores(predictions(one)).values  # shared: dog, runs, grass; grass is ranked sixth
    assert scores["precision_at_5"] == pytest.approx(2 / 5)
    assert scores["recall_at_5"] == pytest.approx(2 / 3)
    assert scores["f1_at_5"] == pytest.approx(f1(2 / 5, 2 / 3))
    assert scores["images_without_shared_tags"] == 0


def test_a_tag_twice_in_one_caption_is_not_shared():
    assert image(references=("dog dog", "cat")).shared_tags == frozenset()


def test_an_image_without_shared_tags_lowers_precision_and_leaves_recall_alone():
    good = image(ranked="a b c d e", references=("a b c d e", "a b c d e"))
    unlabelled = image(ranked="a b c d e", references=("a", "b"))
    scores = ranked_tag_scores(predictions(good, unlabelled)).values
    assert scores["precision_at_5"] == pytest.approx(0.5)
    assert scores["recall_at_5"] == 1
    assert scores["images_without_shared_tags"] == 1


def test_all_tags_of_an_only_list_count():
    scores = ranked_tag_scores(predictions(image(ranked="a b c d e", references=("a b x",)))).values
    assert scores["precision_at_5"] == pytest.approx(2 / 5) and scores["recall_at_5"] == pytest.approx(2 / 3)


def test_average_precision_by_hand():
    relevant = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3, 2, 1]), relevant) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([4.0, 1, 3, 2]), relevant) == 1
    assert average_precision(np.array([1.0, 4, 2, 3]), relevant) == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_equal_scores_enter_together_whatever_their_order():
    scores, relevant = np.array([1.0, 1, 1, 0]), np.array([True, False, False, True])
    assert average_precision(scores, relevant) == pytest.approx(0.5 * 1 / 3 + 0.5 * 2 / 4)
    for order in ([2, 1, 0, 3], [3, 1, 2, 0]):
        assert average_precision(scores[order], relevant[order]) == average_precision(scores, relevant)
    assert average_precision(np.zeros(4), relevant) == pytest.approx(0.5)  # no information: the share of relevant ones


@pytest.mark.parametrize(("images", "relevant"), [(1, 1), (3, 1), (5, 2), (6, 6)])
def test_chance_is_the_mean_over_all_rankings(images, relevant):
    is_relevant = np.arange(images) < relevant
    every = [average_precision(np.array(ranks, float), is_relevant) for ranks in permutations(range(images))]
    assert chance_average_precision(images, relevant) == pytest.approx(np.mean(every))


def test_mean_average_precision_leaves_out_tags_without_a_relevant_image():
    images = [image(references=("dog", "dog")), image(references=("cat", "cat")), image(references=("dog", "dog"))]
    scores = tag_average_precision(predictions(
        *images, frequent=("dog", "cat", "tree"), scores=[[3, 1, 9], [2, 2, 9], [1, 3, 9]])).values
    assert scores["mean_average_precision"] == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    assert scores["average_precision_tags"] == 2
    assert scores["chance_average_precision"] == pytest.approx(
        (chance_average_precision(3, 2) + chance_average_precision(3, 1)) / 2)
    assert tag_average_precision(predictions(image())).values["mean_average_precision"] is None
