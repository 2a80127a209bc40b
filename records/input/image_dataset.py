"""Batches of images with all their captions, for objectives that score whole captions (self-critical training).

    dataset = ImageDataset(open_split(records_dir, "train"), InputOptions(batch_size=64, seed=0, ram_budget_mb=1024))
    for batch in dataset.epoch(3, start_step=10): ...

As in records.input.caption_dataset, batch k of epoch e is a pure function of (records, seed, e, k, batch size), every
image comes once per epoch, and every host takes its rows of the same batches. The split is held in memory.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.input import in_memory, shuffling
from records.input.caption_dataset import MIB, CaptionDataset
from records.input.image_captions import ImageCaptions
from records.input.options import InputOptions
from records.input.shard_reader import Split


class ImageDataset:
    """One split as batches of images.

    Attributes:
      steps_per_epoch: batches in every epoch.
      references: R, the largest number of captions of an image.
      options: as given.
    """

    def __init__(self, split: Split, options: InputOptions, *, vocabulary_size: int | None = None):
        """Arguments as of CaptionDataset; the batch size counts images.

        Raises:
          UserError: as CaptionDataset, or the split needs more memory than the RAM budget.
        """
        self._captions = CaptionDataset(split, options, vocabulary_size=vocabulary_size)
        if not self._captions.in_memory:
            raise UserError(
                f"--ram_budget_mb={options.ram_budget_mb}: training on rewards holds the split {split.name!r} in "
                f"memory, which takes {-(-in_memory.bytes_needed(split) // MIB):,} MiB; give at least that")
        self.options, self._images = options, split.info.examples
        self.steps_per_epoch = -(-split.info.examples // options.batch_size)

    @functools.cached_property
    def held(self) -> in_memory.Held:
        """The split in memory; read on first use."""
        return self._captions.hold()

    @functools.cached_property
    def _of_image(self) -> ImageCaptions:
        return ImageCaptions(self.held, self._images)

    @property
    def references(self) -> int:
        return self._of_image.most

    def epoch(self, epoch: int, start_step: int = 0, keys: bool = True) -> tf.data.Dataset:
        """The batches of an epoch in random order, from `start_step` on, without `key` where `keys` is False.

        Returns:
          Dataset of dicts, b rows each, a row for each image. `feature`, `key`, `inputs` and `targets` are as in
          CaptionDataset.epoch, of one of the image's captions, drawn anew in every epoch; `references` int32
          [b, R, T+1] holds all its captions in the form of `targets`. Rows that pad the last batch, and references
          beyond an image's captions, are 0 and "".
        """
        seed = self.options.seed
        plan = shuffling.pad_plan(shuffling.permutation(self._images, seed, epoch), self.options.batch_size)
        captions = np.diff(self._of_image.first)
        chosen = np.random.Philox(np.random.SeedSequence((seed, epoch, 1))).random_raw(self._images)
        chosen %= np.maximum(captions, 1).astype(np.uint64)
        return self._captions.finish(self._gather(plan, chosen.astype(np.int64), start_step, keys))

    def _gather(self, plan: np.ndarray, chosen: np.ndarray, start_step: int, keys: bool) -> tf.data.Dataset:
        """This host's rows of each batch of the plan (int32 [steps, B], n for an empty row) from `start_step` on."""
        nothing = len(self.held.lengths) - 1  # the empty caption at the end of Held
        caption = np.append(self._of_image.first[:-1] + chosen, nothing)
        width = self._of_image.width(plan[start_step:])
        rows = np.ascontiguousarray(plan[start_step:, self.options.rows])

        dataset = tf.data.Dataset.from_tensor_slices((
            self._of_image.numbers[rows].astype(np.int32), caption[rows].astype(np.int32), rows, width))
        return dataset.map(self._graphs[keys], num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    @functools.cached_property
    def _graphs(self) -> dict[bool, Callable]:
        """The dict of a batch, from its captions by number, without keys and with them; made once, not in every epoch.
        """
        def rows(keys: bool, references: tf.Tensor, caption: tf.Tensor, image: tf.Tensor, width: tf.Tensor
                 ) -> dict[str, tf.Tensor]:
            words = self._of_image.targets(references, width)
            return self.held.rows(caption, image, width, keys) | {"references": words}

        return {keys: tf.function(functools.partial(rows, keys), autograph=False) for keys in (False, True)}
