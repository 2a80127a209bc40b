"""How many different captions, and how many that train had word for word."""

import numpy as np
import pytest

from tagger.evaluation.metrics.diversity import diversity_scores
from tagger.evaluation.metrics.predictions import Prediction, Predictions

CAPTIONS = [("a", "dog"), ("a", "dog"), ("a", "cat"), ("two", "dogs")]


def predictions(train_captions):
    images = [Prediction(f"{i}", words, (), (), (), ()) for i, words in enumerate(CAPTIONS)]
    return Predictions(images, (), np.zeros((4, 0)), train_captions=train_captions)


def test_counts_and_shares():
    values = diversity_scores(predictions(frozenset({("a", "dog"), ("a", "horse")}))).values
    assert values == {"distinct_captions": 3, "distinct_share": 0.75, "distinct_words": 5,
                      "captions_without_words": 0, "seen_in_training": 0.5}


def test_unknown_train_captions_are_no_zero():
    assert diversity_scores(predictions(None)).values["seen_in_training"] is None
    assert diversity_scores(predictions(frozenset())).values["seen_in_training"] == pytest.approx(0)
