"""Which photos of an evaluation came out worst, and which best."""

import math
from collections.abc import Sequence


def worst_and_best(ranks: Sequence[float], count: int) -> tuple[list[int], list[int]]:
    """Positions of the `count` lowest values, lowest first, and of the `count` highest, highest first.

    NaN has no place. No value is called both: where the two lists would meet in one, each keeps what lies beyond it,
    and only a list that has nothing beyond it keeps that value. Both are empty where all values are equal.
    """
    order = sorted((i for i, rank in enumerate(ranks) if not math.isnan(rank)), key=lambda i: ranks[i])
    count = min(count, len(order) // 2)
    if not count or ranks[order[0]] == ranks[order[-1]]:
        return [], []
    worst, best = order[:count], order[::-1][:count]
    if (met := ranks[worst[-1]]) == ranks[best[-1]]:
        worst = [i for i in worst if ranks[i] < met] or worst
        best = [i for i in best if ranks[i] > met] or best
    return worst, best
