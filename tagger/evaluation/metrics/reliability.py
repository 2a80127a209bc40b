"""Calibration and skill of tag scores, and precision and recall above one. A tag of any reference counts as right."""

from collections import Counter

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


def tag_skill(predictions: Predictions) -> Scores:
    """tag_skill_score: the Brier skill score of the listed tags' scores, over all images.

    1 - sum (score - right)² / sum (share - right)², where right is 1 or 0, and share is that of the tag among the other
    images (Murphy 1973 has the score, with one share for all). 1 is perfect. 0 is what gives each tag's frequency to
    every photo: it is well calibrated, and worth nothing. None where no tag is listed with a score, or the shares are
    all right, as with one image.
    """
    images = predictions.images
    having = Counter(tag for image in images for tag in image.all_tags)
    squares = np.zeros(2)
    for image in images:
        for tag, score in zip(image.ranked_tags, image.tag_scores, strict=False):
            right = tag in image.all_tags
            share = (having[tag] - right) / max(len(images) - 1, 1)
            squares += (score - right) ** 2, (share - right) ** 2
    own, of_frequencies = squares
    defined = len(images) > 1 and of_frequencies > 0
    return Scores({"tag_skill_score": float(1 - own / of_frequencies) if defined else None}, {})


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
