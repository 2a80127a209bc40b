import numpy as np
import pytest

from tagger.evaluation.metrics import Prediction, Predictions
from tagger.evaluation.metrics.reliability import tag_reliability, threshold_scores

IMAGES = [
    Prediction("a", (), (), (), ("dog", "man", "red"), (("dog", "man"), ("grass",)), (0.92, 0.75, 0.04)),
    Prediction("b", (), (), (), ("dog", "sky"), (("sky",),), (0.98, 0.71))]


def test_reliability_by_hand():
    """Bin 9 has 0.92 (right) and 0.98 (wrong), bin 7 has 0.75 and 0.71 (both right), bin 0 has 0.04 (wrong)."""
    scores = tag_reliability(Predictions(IMAGES, (), np.zeros((2, 0)))).values
    assert scores["tag_reliability"] == [
        [pytest.approx(0.04), 0, 1], [pytest.approx(0.73), 1, 2], [pytest.approx(0.95), 0.5, 2]]
    assert scores["tag_calibration_error"] == pytest.approx((0.04 + 2 * 0.27 + 2 * 0.45) / 5)


def test_at_the_threshold_by_hand():
    scores = threshold_scores(Predictions(IMAGES, (), np.zeros((2, 0)), 0.75)).values
    assert scores["precision_at_threshold"] == pytest.approx(2 / 3)  # dog, man; dog
    assert scores["recall_at_threshold"] == pytest.approx(2 / 4)
    assert scores["f1_at_threshold"] == pytest.approx(2 * 2 / (3 + 4)) and scores["tags_at_threshold"] == 1.5


def test_nothing_to_go_by_is_none():
    images = [Prediction("a", ("dog",), (("dog",),), (), ("dog",), (("dog",),))]
    predictions = Predictions(images, (), np.zeros((1, 0)))
    assert set(tag_reliability(predictions).values.values()) == set(threshold_scores(predictions).values.values()) == {
        None}
