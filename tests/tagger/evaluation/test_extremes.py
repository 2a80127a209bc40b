import math

import pytest

from tagger.evaluation.extremes import worst_and_best


@pytest.mark.parametrize("ranks, count, worst, best", [
    ([3, 1, math.nan, 2, 5, 4], 2, [1, 3], [4, 5]),
    ([3, 1, 2], 8, [1], [0]),  # a photo is on one side only
    ([0, 0, 0, 0, 5, 7], 3, [0, 1, 2], [5, 4]),  # 0 is not among the best
    ([0, 5, 5, 5], 2, [0], [3, 2]),
    ([0, 5, 5, 7], 2, [0], [3]),
    ([4, 4, 4], 1, [], []),
    ([4, math.nan], 1, [], []),
    ([1, 2], 0, [], [])])
def test_worst_and_best(ranks, count, worst, best):
    assert worst_and_best(ranks, count) == (worst, best)
