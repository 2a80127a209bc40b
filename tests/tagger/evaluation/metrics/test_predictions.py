"""What metrics are given: the two reference sets of tags, and shapes that belong together."""

import numpy as np
import pytest

from tagger.evaluation.metrics.predictions import Prediction, Predictions

IMAGE = Prediction("x", ("a", "dog"), (), ("dog",), ("dog",), (("dog", "ball"), ("dog", "dog", "grass"), ("ball",), ()))


def test_all_tags_are_the_union_and_shared_ones_are_in_two_captions():
    assert IMAGE.all_tags == {"dog", "ball", "grass"}
    assert IMAGE.shared_tags == {"dog", "ball"}  # grass is in one; dog twice in one caption counts once
    # Of one caption, or one list of keywords, all tags are shared.
    assert Prediction("x", (), (), (), (), (("dog", "dog"),)).shared_tags == {"dog"}


def test_shapes_that_do_not_fit_are_refused():
    assert len(Predictions([IMAGE], ("dog", "ball"), np.zeros((1, 2))).images) == 1
    with pytest.raises(ValueError, match=r"shape \(2, 1\), expected \(1, 2\)"):
        Predictions([IMAGE], ("dog", "ball"), np.zeros((2, 1)))
    with pytest.raises(ValueError, match="images is empty"):
        Predictions([], ("dog",), np.zeros((0, 1)))
