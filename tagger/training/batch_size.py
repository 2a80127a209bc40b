"""The batch size that a run has where the flag leaves the choice: one that gives a small set enough steps."""

import dataclasses
import math

from etils import epath

from flags.train import Train
from records.input.shard_reader import open_split
from tagger.runs import run_dir
from tagger.training.checkpoints import Checkpoints

PUBLISHED, SMALLEST = 64, 8
_STEPS = 32  # an epoch has at least about so many


def fitting(captions: int) -> int:
    """The power of two nearest to a 32nd of the captions, from 8 to the published 64.

    45 photos with five captions each, 180 of them in train, get 8, which is 23 steps an epoch, where 64 would give 3.
    From 1,449 captions on it is 64.
    """
    return min(max(2 ** round(math.log2(max(captions, 1) / _STEPS)), SMALLEST), PUBLISHED)


def with_batch_size(config: Train, *stages: str) -> Train:
    """`config` with a number for --batch_size=0.

    A run that goes on keeps the number that it was started with, here or in the first of its `stages`, folders below
    the run's, that has a checkpoint.

    Raises:
      UserError: there are no such records, or a config.json is not what train writes.
    """
    if config.batch_size:
        return config
    for folder in () if config.fresh else (config.run_dir, *(epath.Path(config.run_dir) / stage for stage in stages)):
        before = run_dir.load_config(folder) if Checkpoints(folder, config.keep_checkpoints).steps() else None
        if before is not None:
            return dataclasses.replace(config, batch_size=before.batch_size)
    captions = open_split(config.records_dir, config.train_split).info.captions
    return dataclasses.replace(config, batch_size=fitting(captions))
