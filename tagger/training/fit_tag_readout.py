"""Solves a run's readout of tags from features when training ends: on its train split, two choices on validation."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from records.input.shard_reader import Split
from records.util.progress import Progress
from tagger.modeling.tag_readout import TagReadout, solve
from tagger.runs import run_dir
from tagger.runs.run_dir import Run
from tagger.training.tag_examples import tag_batches

_BATCH_SIZE = 512
_MOST_IMAGES, _MOST_HELD_OUT = 200_000, 2000  # more would not move what some thousand numbers a tag are learnt from
_MOST_TAGS = 8192  # the rest is rare, and the kernel as large as the backbone
_MOST_FEATURES = 8192  # the equations' matrix is features by features
_STRENGTHS = (0.3, 1.0, 3.0, 10.0)
_NETWORK_SHARES = (1 / 3, 2 / 3, 1.0)


def fit(folder: str, train: Split, validation: Split) -> TagReadout | None:
    """Learns and stores the readout of the run in `folder`.

    The strength of the regression and the share of the network's own answer are those with the least squared error on
    validation, where, as on train, the target is the share of a photo's captions that have the tag.

    Args:
      train, validation: of the records that the run was trained on.

    Returns:
      None where no photo of train has a tag, or features are too long for it, which is said.

    Raises:
      UserError: the run or a split cannot be read.
    """
    run, size = run_dir.load_run(folder), train.feature_size
    if size > _MOST_FEATURES:
        print(f"tags are read from the network alone: features of {size:,} numbers are too long for a readout of "
              f"their own, which takes {_MOST_FEATURES:,}", flush=True)
        return None
    sums = _Sums.zeros(size, min(run.tag_outputs.size, _MOST_TAGS))
    for feature, target in _batches(run, train, _MOST_IMAGES):
        sums.add(feature, target)
    if not sums.target.any():
        return None
    held_out = list(_batches(run, validation, _MOST_HELD_OUT))
    feature, target = (np.concatenate(parts) for parts in zip(*held_out, strict=True))
    readout = min((_readout(sums, kernel) for kernel in solve(*sums.centred(), _STRENGTHS)),
                  key=lambda readout: _error(readout.logits(feature), target))
    network = np.concatenate([run.tag_outputs.logits(run.model.tag_logits(run.model.image(part))).numpy()
                              for part, _ in held_out])[:, :readout.size]

    def error(share: float) -> float:
        readout.network_share = share
        return _error(readout.mix(feature, network), target)

    readout.network_share = min(_NETWORK_SHARES, key=error)
    run_dir.save_readout(readout, folder)
    return readout


@dataclasses.dataclass
class _Sums:
    """What the equations need of all photos: they are read once, whatever their number.

    Attributes:
      photos: N. feature: [F]. target: [K]. gram: [F, F]. moments: [F, K], all float64 sums.
    """

    photos: int
    feature: np.ndarray
    target: np.ndarray
    gram: np.ndarray
    moments: np.ndarray

    @classmethod
    def zeros(cls, size: int, tags: int) -> "_Sums":
        return cls(0, np.zeros(size), np.zeros(tags), np.zeros((size, size)), np.zeros((size, tags)))

    def add(self, feature: np.ndarray, target: np.ndarray) -> None:
        """Adds photos: float32 [n, F] and [n, K]."""
        feature, present = feature.astype(np.float64), np.flatnonzero(target.any(axis=0))
        self.photos += len(feature)
        self.feature += feature.sum(axis=0)
        self.target += target.sum(axis=0)
        self.gram += feature.T @ feature
        self.moments[:, present] += feature.T @ target[:, present]

    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """gram and moments of features and targets less their means."""
        mean = self.feature / self.photos
        return self.gram - np.outer(mean, self.feature), self.moments - np.outer(mean, self.target)


def _readout(sums: _Sums, kernel: np.ndarray) -> TagReadout:
    rate = np.maximum(sums.target, 0.5) / sums.photos  # of a tag that no photo has, half a photo's
    kernel = kernel / rate
    return TagReadout(kernel, sums.target / sums.photos / rate - sums.feature / sums.photos @ kernel, rate, 0.0)


def _error(logits: tf.Tensor, target: np.ndarray) -> float:
    return float(np.square(tf.sigmoid(logits).numpy() - target).sum())


def _batches(run: Run, split: Split, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Features float32 [n, F] and targets float32 [n, K] of the first photos of a split."""
    with Progress(f"solving the readout of tags, photos of {split.name}",
                  total=min(split.info.examples, most), unit="examples") as progress:
        for feature, shares in tag_batches(run, split, most, _BATCH_SIZE):
            yield feature.astype(np.float32), shares[:, :_MOST_TAGS]
            progress.add(len(feature))
