"""Calibration of tag scores, and precision and recall above a threshold. A tag of any reference counts as right."""

import numpy as np

from tagger.evaluation.metrics.predictions import Predictions, Scores
from tagger.evaluation.metrics.tags import f1

BINS = 10


def tag_reliability(predictions: Predictions) -> Scores:
    """tag_calibration_error and tag_reliability, over the listed tags of all images.

    The listed tags are put into ten bins by score, [0, 0.1), [0.1, 0.2) … [0.9, 1]. The expected calibration error is
    the mean, over tags, of how far the mean score of their bin is from the share of its tags that are right (Naeini et
    al. 2015). tag_reliability has a row for each bin that is not empty: mean score, share that is right, tags. Both are
    None where no tag is listed with a score.
    """
    scores = np.array([score for image in predictions.images for score in image.tag_scores], np.float64)
    right = np.array([tag in image.all_tags for image in predictions.images
                      for tag, _ in zip(image.ranked_tags, image.tag_scores, strict=False)], np.float64)
    if not len(scores):
        return Scores({"tag_calibration_error": None, "tag_reliability": None}, {})
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    rows = [[float(scores[place == i].mean()), float(right[place == i].mean()), int((place == i).sum())]
            for i in range(BINS) if (place == i).any()]
    error = sum(count * abs(score - share) for score, share, count in rows) / len(scores)
    return Scores({"tag_calibration_error": float(error), "tag_reliability": rows}, {})


def threshold_scores(predictions: Predictions) -> Scores:
    """threshold, precision_at_threshold, recall_at_threshold, f1_at_threshold and tags_at_threshold.

    The listed tags with at least the score chosen on the validation split are compared with all tags of the image;
    counts are pooled over the images. tags_at_threshold is the mean number of such tags per photo. All are None without
    a chosen score.
    """
    names = ("threshold", "precision_at_threshold", "recall_at_threshold", "f1_at_threshold", "tags_at_threshold")
    if predictions.threshold is None:
        return Scores(dict.fromkeys(names), {})
    shown = hits = relevant = 0
    for image in predictions.images:
        tags = [tag for tag, score in zip(image.ranked_tags, image.tag_scores, strict=False)
                if score >= predictions.threshold]
        shown, hits = shown + len(tags), hits + len(image.all_tags.intersection(tags))
        relevant += len(image.all_tags)
    precision, recall = hits / max(shown, 1), hits / max(relevant, 1)
    values = (predictions.threshold, precision, recall, f1(precision, recall), shown / len(predictions.images))
    return Scores(dict(zip(names, values, strict=True)), {})
