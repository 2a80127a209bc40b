import numpy as np
import pytest

from tagger.evaluation.metrics import Prediction, Predictions
from tagger.evaluation.metrics.reliability import tag_reliability, tag_skill, threshold_scores

IMAGES = [
    Prediction("a", (), (), (), ("dog", "man", "red"), (("dog", "man"), ("grass",)), (0.92, 0.75, 0.04)),
    Prediction("b", (), (), (), ("dog", "sky"), (("sky",),), (0.98, 0.71))]


def test_reliability_by_hand():
    """Bin 9 has 0.92 (right) and 0.98 (wrong), bin 7 has 0.75 and 0.71 (both right), bin 0 has 0.04 (wrong)."""
    scores = tag_reliability(Predictions(IMAGES, (), np.zeros((2, 0)))).values
    assert scores["tag_reliability"] == [
        [pytest.approx(0.04), 0, 1], [pytest.approx(0.73), 1, 2], [pytest.approx(0.95), 0.5, 2]]
    assert scores["tag_calibration_error"] == pytest.approx((0.04 + 2 * 0.27 + 2 * 0.45) / 5)


def test_skill_by_hand():
    """What shares say of a, where b has sky alone: no dog, man, red. Of b, where a has dog: a dog, no sky."""
    scores = tag_skill(Predictions(IMAGES, (), np.zeros((2, 0)))).values
    own = 0.08 ** 2 + 0.25 ** 2 + 0.04 ** 2 + 0.98 ** 2 + 0.29 ** 2  # dog, man, red of a; dog (wrong), sky of b
    of_shares = 1 + 1 + 0 + 1 + 1
    assert scores["tag_skill_score"] == pytest.approx(1 - own / of_shares)


def test_the_same_answer_for_every_photo_is_calibrated_and_has_no_skill():
    """Half of the photos show a dog, the others a cat: 0.5 for both everywhere is right as often as it says."""
    def scored(dog, cat):
        images = [Prediction(str(i), (), (), (), ("dog", "cat"), ((("dog", "cat")[i % 2],),), (dog(i), cat(i)))
                  for i in range(100)]
        predictions = Predictions(images, (), np.zeros((100, 0)))
        return (tag_reliability(predictions).values["tag_calibration_error"],
                tag_skill(predictions).values["tag_skill_score"])

    error, skill = scored(lambda i: 0.5, lambda i: 0.5)
    assert error == pytest.approx(0) and skill == pytest.approx(0, abs=0.03)
    error, skill = scored(lambda i: 0.9 * (1 - i % 2), lambda i: 0.9 * (i % 2))
    assert error == pytest.approx(0.05) and skill > 0.95


def test_at_the_threshold_by_hand():
    scores = threshold_scores(Predictions(IMAGES, (), np.zeros((2, 0)), 0.75)).values
    assert scores["precision_at_threshold"] == pytest.approx(2 / 3)  # dog, man; dog
    assert scores["recall_at_threshold"] == pytest.approx(2 / 4)
    assert scores["f1_at_threshold"] == pytest.approx(2 * 2 / (3 + 4)) and scores["tags_at_threshold"] == 1.5


def test_nothing_to_go_by_is_none():
    images = [Prediction("a", ("dog",), (("dog",),), (), ("dog",), (("dog",),))]
    predictions = Predictions(images, (), np.zeros((1, 0)))
    for scores in (tag_reliability, tag_skill, threshold_scores):
        assert set(scores(predictions).values.values()) == {None}
