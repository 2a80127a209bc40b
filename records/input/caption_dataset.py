"""Batches for training and validation from a records folder, exact and restartable.

    split = open_split(records_dir, "train")
    dataset = CaptionDataset(split, InputOptions(batch_size=64, seed=0, ram_budget_mb=2048))
    with reading_errors(records_dir):
        for batch in dataset.epoch(3, start_step=100): ...

Batch k of epoch e is a pure function of (records, seed, e, k, global batch size): starting at k costs little and gives
what an uninterrupted epoch would have given. Every caption comes exactly once per epoch. A last batch that the
captions do not fill is padded with empty rows (no key, word or target), which a loss must not count: 10 captions in
batches of 4 give 4, 4, and 2 with 2 empty rows. Of several hosts, each reads its rows of the same batches.

Whether a split is held in memory or streamed follows from the manifest and --ram_budget_mb only, never from timing,
because the two orders differ. Where the reader partitions of a streamed split (see
`records.input.streaming`) have unequal numbers of captions, its empty rows are spread over the epoch: partitions of 13
and 10 captions, batch size 4, give 7 steps with 1 or 2 captions of each.
"""

import numpy as np
import tensorflow as tf

from records.input import in_memory, shuffling, streaming
from records.input.options import InputOptions
from records.input.shard_reader import Split, images, open_split, reading_errors

__all__ = ["CaptionDataset", "InputOptions", "Split", "images", "open_split", "reading_errors"]

MIB = 1 << 20
_LEAST_BUFFERS = 64 * MIB  # tf.data's buffers may always take this much, even with a smaller --ram_budget_mb


class CaptionDataset:
    """One split as batches of captions.

    Attributes:
      in_memory: whether the split is held in memory.
      steps_per_epoch: batches in every epoch, and in `ordered()`.
      captions: captions in an epoch.
      tokens: real targets in an epoch, <end> included.
      options: as given.
    """

    def __init__(self, split: Split, options: InputOptions, *, vocabulary_size: int | None = None,
                 bucket_batches: int = 16):
        """Checks the division among hosts; reads nothing yet.

        Args:
          split: what to read.
          options: its batch size counts captions.
          vocabulary_size: ids from this number on become <unk>; None keeps the records' vocabulary.
          bucket_batches: when held in memory, captions of this many batches are sorted by length together; 1: unsorted.

        Raises:
          UserError: records without features, or hosts that the shards cannot be divided among.
        """
        self._split, self.options, self._bucket_batches = split, options, bucket_batches
        self._ram_budget = options.ram_budget_mb * MIB
        self._vocabulary_size = vocabulary_size or split.manifest.vocabulary_size
        self._held: in_memory.Held | None = None
        self.captions, self.tokens = split.info.captions, split.info.tokens
        self.in_memory = in_memory.bytes_needed(split) <= self._ram_budget
        if self.in_memory:
            self.steps_per_epoch = -(-self.captions // options.batch_size)
        else:
            self._partitions = streaming.Partitions(split, options.batch_size, self._vocabulary_size, options.hosts)
            self._own = self._partitions.of_host(options.host, options.hosts)
            self.steps_per_epoch = self._partitions.steps

    def epoch(self, epoch: int, start_step: int = 0, keys: bool = True) -> tf.data.Dataset:
        """The batches of an epoch in random order, from `start_step` on.

        Args:
          epoch: its number, from 0.
          start_step: batches to leave out.
          keys: False leaves `key` out, which a training step does not read.

        Returns:
          Dataset of dicts, b rows each: `feature` float16 [b, F]; `inputs` int32 [b, T], words right-padded with 0;
          `targets` int32 [b, T+1], words, <end>, right-padded with 0; `key` string [b]. Empty rows are all 0 and "".
          T fits the longest caption of the global batch; of this host's rows when streaming.
        """
        if self.in_memory:
            held, options = self.hold(), self.options
            plan = shuffling.epoch_plan(
                held.lengths[:-1], options.batch_size, self._bucket_batches, options.seed, epoch)
            return self.finish(held.batches(plan, options.rows, start_step, keys))
        return self.finish(self._partitions.batches(self._own, start_step, (self.options.seed, epoch), keys))

    def ordered(self, keys: bool = True) -> tf.data.Dataset:
        """Batches like those of `epoch` in a fixed order, for validation: every caption once; `keys` as in `epoch`."""
        if self.in_memory:
            held = self.hold()
            plan = shuffling.pad_plan(np.arange(self.captions), self.options.batch_size)
            return self.finish(held.batches(plan, self.options.rows, 0, keys))
        return self.finish(self._partitions.batches(self._own, 0, None, keys))

    def hold(self) -> in_memory.Held:
        """The split in memory; the first call reads it."""
        if self._held is None:
            self._held = in_memory.Held(self._split, self._vocabulary_size)
        return self._held

    def finish(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Adds prefetching and the tf.data options of the split to `dataset`, which gives this host's rows."""
        options = tf.data.Options()
        options.deterministic = True
        options.autotune.ram_budget = max(self._ram_budget, _LEAST_BUFFERS)
        # These are this host's rows already: a strategy that distributes them must not divide them again.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        # A few small operations gain nothing from having their graph rewritten at the start of every epoch.
        options.experimental_optimization.apply_default_optimizations = False
        if self.options.threads:
            options.threading.private_threadpool_size = self.options.threads
        return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)
