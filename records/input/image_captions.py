"""Which captions of a split held in memory belong to which image: all captions of an image are one row."""

import functools

import numpy as np
import tensorflow as tf

from records.input.in_memory import Held


class ImageCaptions:
    """The captions of n images, at most R of each.

    Attributes:
      held: the split; its last caption is empty, and stands where an image has fewer than R.
      first: int64 [n+1], number of the first caption of each image, and of the caption after the last.
    """

    def __init__(self, held: Held, images: int):
        self.held = held
        self.first = np.searchsorted(held.image[:-1], np.arange(images + 1))

    @functools.cached_property
    def most(self) -> int:
        """R, the largest number of captions of an image."""
        return int(np.diff(self.first).max(initial=1))

    @functools.cached_property
    def numbers(self) -> np.ndarray:
        """int64 [n+1, R], the captions of each image by number; the last row, which belongs to no image, is empty."""
        nothing = len(self.held.lengths) - 1
        of_image = self.first[:-1, None] + np.arange(self.most)
        of_image = np.where(of_image < self.first[1:, None], of_image, nothing)
        return np.concatenate([of_image, np.full([1, self.most], nothing)])

    def width(self, plan: np.ndarray) -> np.ndarray:
        """Tokens of the longest caption in each batch of a plan, int32 [steps, B] image numbers; int32 [steps]."""
        return self.held.lengths[self.numbers[plan]].max(axis=(1, 2), initial=1)

    def targets(self, numbers: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """int32 [b, R, width], the words and <end> of captions int32 [b, R], right-padded with 0."""
        return tf.gather(self.held.targets, numbers)[:, :, :width]
