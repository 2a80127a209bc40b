"""Metrics of predictions against references. To add one: write a function like those here and list it in METRICS.

    scores = score(Predictions(images, frequent_tags, frequent_tag_scores))
    scores.values["cider"], scores.per_image["cider"][0]
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tagger.evaluation.metrics.captions import caption_scores
from tagger.evaluation.metrics.diversity import diversity_scores
from tagger.evaluation.metrics.predictions import Prediction, Predictions, Scores
from tagger.evaluation.metrics.reliability import tag_reliability, tag_skill, threshold_scores
from tagger.evaluation.metrics.tags import caption_tag_scores, ranked_tag_scores, tag_average_precision

__all__ = ["METRICS", "Prediction", "Predictions", "Scores", "score"]

METRICS: tuple[Callable[[Predictions], Scores], ...] = (
    caption_scores, caption_tag_scores, ranked_tag_scores, tag_average_precision, tag_reliability, tag_skill,
    threshold_scores, diversity_scores)


def score(predictions: Predictions) -> Scores:
    """Every metric of METRICS, merged.

    Raises:
      ValueError: two metrics use one name.
    """
    values: dict[str, Any] = {}
    per_image: dict[str, np.ndarray] = {}
    for metric in METRICS:
        scores = metric(predictions)
        if repeated := (values.keys() & scores.values.keys()) | (per_image.keys() & scores.per_image.keys()):
            raise ValueError(f"{metric.__name__} repeats the names {sorted(repeated)} of another metric")
        values |= scores.values
        per_image |= scores.per_image
    return Scores(values, per_image)
