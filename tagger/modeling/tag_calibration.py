"""From what a model answers about a tag to the probability that the tag is right, learnt on held-out photos.

    calibration = fit(names, scores, right)       # scores float [N, T] of N photos, right bool [N, T]
    calibration.save(run_dir)
    calibration.apply(p, outputs.names)           # float32 [B, T] to [B, T]

A tag is right when at least one reference of the photo has it. The model's own answer is trained towards the share of
captions that have it, which is less. The probability is sigmoid(slope * logit(p) + offset) (Platt scaling), two
numbers for each tag with enough examples, drawn towards the two that fit all tags together; those stand for the rest.
Most of what these are fitted to are small answers about tags that nobody sees, so a last pair, for all tags alike, is
fitted to the LISTED best tags of each photo. Slopes are positive, so the photos keep their order under each tag.

Platt, "Probabilistic outputs for support vector machines", 1999; Guo et al., "On calibration of modern neural
networks", 2017 (https://arxiv.org/abs/1706.04599).
"""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from records.util.atomic_files import write_atomic

FILE = "tag_calibration.json"
LISTED = 10  # tags of a photo that thresholds are chosen for, as many as are listed by default

_EDGE = 1e-6  # p is kept so far from 0 and 1
_LEAST_RIGHT = 10  # photos that have a tag, for numbers of its own
_PRIOR = np.array([20.0, 5.0])  # precision of slope and offset around those of all tags
_LEAST_SLOPE = 0.05
_STEPS = 30
_GRID = np.round(np.arange(0.02, 1.0, 0.02), 2)


@dataclasses.dataclass(frozen=True, eq=False)
class TagCalibration:
    """What `fit` found.

    Attributes:
      own: slope and offset of each tag that has its own, by name.
      shared: slope and offset of the others.
      thresholds: (least score, precision, recall, F1) of the tags that reach it, at most LISTED a photo, counts pooled
        over the photos that the calibration was learnt on; by rising score.
      photos: how many those were; None of runs of before.
    """

    own: dict[str, tuple[float, float]]
    shared: tuple[float, float]
    thresholds: tuple[tuple[float, float, float, float], ...]
    photos: int | None = None

    def parameters(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Slope and offset float32 [T] of the tags `names`."""
        both = np.array([self.own.get(name, self.shared) for name in names], np.float32).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def apply(self, p: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
        """Calibrated probabilities of answers float32 [B, T] about the tags `names`."""
        slope, offset = self.parameters(names)
        p = tf.clip_by_value(p, _EDGE, 1 - _EDGE)
        return tf.sigmoid(slope * tf.math.log(p / (1 - p)) + offset)

    @property
    def best_f1(self) -> float:
        """The least score at which F1 was best."""
        return max(self.thresholds, key=lambda row: row[3])[0]

    def for_precision(self, wanted: float) -> float | None:
        """The lowest least score from which on that share of the tags was right; None where no score reached it."""
        good = None
        for score, precision, recall, _ in reversed(self.thresholds):
            if recall and precision < wanted:
                break
            good = score if recall else good
        return good

    def outcome(self, least: float) -> tuple[float, float]:
        """Precision and recall of the tags that reach a score, on the photos that the calibration was learnt on."""
        return next((row[1:3] for row in reversed(self.thresholds) if row[0] <= least + 1e-9), self.thresholds[0][1:3])

    def save(self, run_dir: epath.PathLike) -> None:
        """Writes tag_calibration.json."""
        write_atomic(epath.Path(run_dir) / FILE, json.dumps(dataclasses.asdict(self), ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, run_dir: epath.PathLike) -> "TagCalibration | None":
        """Reads what `save` wrote; None where there is none, as in runs of before.

        Raises:
          UserError: the file is damaged.
        """
        path = epath.Path(run_dir) / FILE
        if not path.exists():
            return None
        try:
            body = json.loads(path.read_text())
            return cls({name: (float(a), float(b)) for name, (a, b) in body["own"].items()},
                       (float(body["shared"][0]), float(body["shared"][1])),
                       tuple((float(s), float(p), float(r), float(f)) for s, p, r, f in body["thresholds"]),
                       None if body.get("photos") is None else int(body["photos"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is damaged ({error}); delete it, and the same train command makes it anew") \
                from error


def fit(names: Sequence[str], scores: np.ndarray, right: np.ndarray) -> TagCalibration | None:
    """Learns the calibration.

    Args:
      names: string [T].
      scores: float [N, T], what the model answers, in [0, 1].
      right: bool [N, T].

    Returns:
      None where no tag is right, or all are: nothing can be learnt from that.
    """
    if not right.any() or right.all():
        return None
    p = np.clip(scores.astype(np.float64), _EDGE, 1 - _EDGE)
    x, y = np.log(p / (1 - p)), right.astype(np.float64)
    shared = _newton(x.reshape(-1, 1), y.reshape(-1, 1), np.array([[1.0, 0.0]]), np.zeros(2))[0]
    enough = np.flatnonzero((right.sum(axis=0) >= _LEAST_RIGHT) & ((~right).sum(axis=0) >= _LEAST_RIGHT))
    own = _newton(x[:, enough], y[:, enough], np.tile(shared, (len(enough), 1)), _PRIOR)
    both = np.tile(shared, (len(names), 1))
    both[enough] = own
    logits = both[:, 0] * x + both[:, 1]
    best = _listed(logits)
    listed_x, listed_y = (np.take_along_axis(part, best, 1).reshape(-1, 1) for part in (logits, y))
    slope, offset = _newton(listed_x, listed_y, np.array([[1.0, 0.0]]), _PRIOR)[0]

    def composed(pair: np.ndarray) -> tuple[float, float]:
        return float(slope * pair[0]), float(slope * pair[1] + offset)

    calibrated = 1 / (1 + np.exp(-(slope * logits + offset)))
    return TagCalibration({names[tag]: composed(pair) for tag, pair in zip(enough.tolist(), own, strict=True)},
                          composed(shared), _thresholds(calibrated, right), len(right))


def _newton(x: np.ndarray, y: np.ndarray, start: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Logistic regressions float [T, 2] (slope, offset) of y on x, float [N, T], around `start` [T, 2]."""
    found = start.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(found[:, 0] * x + found[:, 1])))
        error, weight = p - y, p * (1 - p) + 1e-12
        away = precision * (found - start)
        gradient = np.stack([(error * x).sum(0), error.sum(0)], 1) + away
        a, b, c = (weight * x * x).sum(0) + precision[0], (weight * x).sum(0), weight.sum(0) + precision[1]
        a, c = a + 1e-6, c + 1e-6
        step = np.stack([c * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]], 1)
        found -= np.clip(step / np.maximum(a * c - b * b, 1e-9)[:, None], -1, 1)
        found[:, 0] = np.maximum(found[:, 0], _LEAST_SLOPE)
    return found


def _listed(scores: np.ndarray) -> np.ndarray:
    """int [N, LISTED], or fewer where there are fewer tags: the columns of each photo's best tags, in any order."""
    listed = min(LISTED, scores.shape[1])
    return np.argpartition(-scores, listed - 1, axis=1)[:, :listed]


def _thresholds(scores: np.ndarray, right: np.ndarray) -> tuple[tuple[float, float, float, float], ...]:
    best = _listed(scores)
    scores, hits = np.take_along_axis(scores, best, 1), np.take_along_axis(right, best, 1)
    relevant, rows = right.sum(), []
    for least in _GRID.tolist():
        shown = scores >= least
        hit = (hits & shown).sum()
        precision, recall = hit / max(shown.sum(), 1), hit / relevant
        rows.append((least, float(precision), float(recall), float(2 * hit / max(shown.sum() + relevant, 1))))
    return tuple(rows)
