import numpy as np
import pytest

import tagger.evaluation.metrics
from tagger.evaluation.metrics import METRICS, Prediction, Predictions, score
from tagger.evaluation.metrics.diversity import diversity_scores


def image(caption: str) -> Prediction:
    words = tuple(caption.split())
    return Prediction("x.jpg", words, (words,), words, words, (words, words))


def test_a_perfect_prediction_is_perfect_by_every_metric():
    images = [image("dogs run on green grass"), image("men ride red old bikes")]
    tags = ("dogs", "grass", "bikes")
    scores = np.array([[tag in p.words for tag in tags] for p in images], float)
    found = score(Predictions(images, tags, scores, None, frozenset()))
    for name in ("tag_precision", "tag_recall", "tag_f1", "precision_at_5", "recall_at_5", "f1_at_5",
                 "mean_average_precision", "distinct_share"):
        assert found.values[name] == 1, name
    assert found.values["bleu_4"] == pytest.approx(100, abs=1e-4)
    assert all(len(values) == 2 for values in found.per_image.values())


def test_diversity_counts_captions_and_recitals():
    images = [image("a dog"), image("a dog"), image("a man"), image("a cat")]
    predictions = Predictions(images, (), np.zeros((4, 0)), None, frozenset({("a", "dog"), ("a", "tree")}))
    assert diversity_scores(predictions).values == {
        "distinct_captions": 3, "distinct_share": 0.75, "distinct_words": 4,
            "captions_without_words": 0, "seen_in_training": 0.5}
    unknown = Predictions(images, (), np.zeros((4, 0)))
    assert diversity_scores(unknown).values["seen_in_training"] is None


def test_two_metrics_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(tagger.evaluation.metrics, "METRICS", (*METRICS, diversity_scores))
    with pytest.raises(ValueError, match="diversity_scores repeats the names"):
        score(Predictions([image("a")], (), np.zeros((1, 0))))


def test_scores_that_do_not_fit_the_images_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 2\), expected \(1, 1\)"):
        Predictions([image("a")], ("a",), np.zeros((1, 2)))
