"""Precision and recall of tags in the caption and among the first five ranked, and average precision of each tag.

All values are fractions 0…1. Two reference sets are in use:

  all tags     the union of the tags of an image's reference captions: what at least one person wrote.
  shared tags  the tags that at least two of the image's reference captions contain: what people agree on. Of an
               image with one list of tags (a row of keywords, or one caption) that list. Captions that agree on
               nothing have none.

Precision and recall pool their counts over the images before they divide, so an image with no predicted or
no reference tags needs no special value: its wrong predictions lower precision, its missed tags lower recall.
"""

from typing import Any

import numpy as np

from tagger.evaluation.metrics.predictions import Predictions, Scores

AT = 5


def f1(precision: float, recall: float) -> float:
    """The harmonic mean, 0 when both are 0."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pooled(hits: np.ndarray, predicted: np.ndarray, relevant: np.ndarray) -> tuple[float, float, float]:
    precision = float(hits.sum() / max(predicted.sum(), 1))
    recall = float(hits.sum() / max(relevant.sum(), 1))
    return precision, recall, f1(precision, recall)


def caption_tag_scores(predictions: Predictions) -> Scores:
    """tag_precision, tag_recall, tag_f1: the tags of the predicted caption against all tags; per image: tag_f1."""
    counts = np.array([(len(p.all_tags.intersection(p.caption_tags)), len(p.caption_tags), len(p.all_tags))
                       for p in predictions.images], np.float64)
    hits, predicted, relevant = counts.T
    precision, recall, score = _pooled(hits, predicted, relevant)
    per_image = 2 * hits / np.maximum(predicted + relevant, 1)  # the harmonic mean, written without precision
    return Scores({"tag_precision": precision, "tag_recall": recall, "tag_f1": score}, {"tag_f1": per_image})


def ranked_tag_scores(predictions: Predictions) -> Scores:
    """precision_at_5, recall_at_5, f1_at_5: the first five ranked tags against the shared tags; per image: f1_at_5.

    Precision divides by five for every image, also where fewer tags were predicted or the image has fewer
    shared tags or none. `images_without_shared_tags` counts the latter: they bound the precision from above.
    """
    hits = np.array([len(p.shared_tags.intersection(p.ranked_tags[:AT])) for p in predictions.images], np.float64)
    relevant = np.array([len(p.shared_tags) for p in predictions.images], np.float64)
    precision, recall, score = _pooled(hits, np.full_like(hits, AT), relevant)
    values: dict[str, Any] = {
        f"precision_at_{AT}": precision, f"recall_at_{AT}": recall, f"f1_at_{AT}": score,
        "images_without_shared_tags": int((relevant == 0).sum())}
    return Scores(values, {f"f1_at_{AT}": 2 * hits / (AT + relevant)})


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Area under the precision-recall steps of one tag over the images ranked by its score.

    sum over the distinct scores s, falling: (recall(s) - recall(previous s)) * precision(s), where precision
    and recall are those of the images that score at least s. Images with equal scores enter together, so the
    value does not depend on their order. The same definition as scikit-learn's average_precision_score.

    Args:
      scores: float [images].
      relevant: bool [images], with at least one True.
    """
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(relevant[order])
    last_of_ties = np.append(np.diff(scores[order]) != 0, True)
    precision = hits[last_of_ties] / (np.flatnonzero(last_of_ties) + 1)
    recall = hits[last_of_ties] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def chance_average_precision(images: int, relevant: int) -> float:
    """The expected average precision of a random ranking: (H + (n - H) (r - 1) / (n - 1)) / n.

    With n images, r of them relevant, and H the sum of 1/k for k = 1 … n (Bestgen 2015, "Exact expected average
    precision of the random baseline for system evaluation"). For many images that is the share of relevant ones, for
    few more: of 3 images with 1 relevant, 0.61.
    """
    harmonic = float(np.sum(1 / np.arange(1, images + 1)))
    return (harmonic + (images - harmonic) * (relevant - 1) / max(images - 1, 1)) / images


def tag_average_precision(predictions: Predictions) -> Scores:
    """mean_average_precision: the mean over the train split's most frequent tags of their average precision.

    An image is relevant to a tag that is one of its shared tags. Tags with no relevant image in the split
    have no average precision and are left out; `average_precision_tags` says how many took part. None when
    there are none. `chance_average_precision` is what it would be, on average, if images were ranked at random.
    """
    column = {tag: i for i, tag in enumerate(predictions.frequent_tags)}
    relevant = np.zeros((len(predictions.images), len(column)), bool)
    for row, image in enumerate(predictions.images):
        relevant[row, [column[tag] for tag in image.shared_tags if tag in column]] = True
    each = [average_precision(predictions.frequent_tag_scores[:, i], relevant[:, i])
            for i in np.flatnonzero(relevant.any(axis=0))]
    of_chance = [chance_average_precision(len(relevant), count) for count in relevant.sum(axis=0) if count]
    mean, chance = (float(np.mean(values)) if values else None for values in (each, of_chance))
    return Scores({"mean_average_precision": mean, "chance_average_precision": chance,
                   "average_precision_tags": len(each)}, {})
