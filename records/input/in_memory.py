"""A split held in memory: features, captions and keys are tensors, and a batch is gathered from them.

One image's feature is stored once, however many captions it has; captions are held padded, so that a batch takes few
operations. The last image and the last caption are empty: the empty rows of a batch point at them and
become all zeros.
"""

import functools

import numpy as np
import tensorflow as tf

from records.input.caption_blocks import read_blocks
from records.input.shard_reader import END, Split
from records.util.aligned import aligned_empty
from records.util.progress import Progress

_BLOCK_RECORDS = 1024  # copied at once


def bytes_needed(split: Split, features: bool = True) -> int:
    """Bytes of memory that `Held` takes, computed from the manifest alone."""
    info = split.info
    per_image = (2 * split.feature_size if features else 0) + 64  # the feature and about that much for the key
    per_caption = 4 * info.max_tokens + 4 + 4 + 4  # targets, length, image, and its place in the epoch's plan
    return info.examples * per_image + info.captions * per_caption


class Held:
    """A whole split in memory: n images with c captions of at most m tokens.

    Attributes:
      feature: float16 [n+1, F]; F = 0 where features were left out.
      key: string [n+1].
      targets: int32 [c+1, m], the words and <end> of each caption, right-padded with 0.
      image: NumPy int32 [c+1], number of each caption's image, ascending. lengths: NumPy int32 [c+1], its tokens.
    """

    def __init__(self, split: Split, vocabulary_size: int, features: bool = True):
        info = split.info
        feature = aligned_empty((info.examples + 1, split.feature_size if features else 0), np.float16)
        feature[-1:] = 0
        targets = aligned_empty((info.captions + 1, max(info.max_tokens, 1)), np.int32)
        targets[:] = 0
        lengths = np.zeros(info.captions + 1, np.int32)
        image = np.full(info.captions + 1, info.examples, np.int32)
        keys: list[bytes] = []
        n = c = 0
        with Progress(f"reading {split.name}", info.examples, "examples") as progress:
            for block in read_blocks(split, range(len(info.shards)), vocabulary_size, _BLOCK_RECORDS, features):
                images, captions = len(block.key), len(block.length)
                of_block = slice(c, c + captions)
                feature[n:n + images] = block.feature
                lengths[of_block] = block.length
                targets[of_block][np.arange(targets.shape[1]) < lengths[of_block, None]] = block.tokens
                image[of_block] = block.image + n
                keys += block.key
                n, c = n + images, c + captions
                progress.add(images)
        self.image, self.lengths = image, lengths
        with tf.device("cpu:0"):
            self.feature = tf.convert_to_tensor(feature)
            self.key = tf.constant([*keys, b""], tf.string)
            self.targets = tf.convert_to_tensor(targets)
        # Made once, not in every epoch.
        self._graphs = {keys: tf.function(functools.partial(self.rows, keys=keys), autograph=False)
                        for keys in (False, True)}

    def batches(self, plan: np.ndarray, rows: slice, first_step: int, keys: bool) -> tf.data.Dataset:
        """The given rows of each batch of the plan (int32 [steps, B] caption numbers) from `first_step` on.

        A batch is as wide as its longest caption on any host, so that the hosts' shapes agree.
        """
        plan = plan[first_step:]
        width = np.max(self.lengths[plan], axis=1, initial=1)
        captions = np.ascontiguousarray(plan[:, rows])
        return tf.data.Dataset.from_tensor_slices((captions, self.image[captions], width)).map(
            self._graphs[keys], num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def rows(self, captions: tf.Tensor, images: tf.Tensor, width: tf.Tensor, keys: bool) -> dict[str, tf.Tensor]:
        """The batch of captions int32 [b] and their images int32 [b], both by number; `width` is T + 1."""
        rows = batch(tf.gather(self.feature, images), tf.gather(self.targets, captions)[:, :width])
        return rows | {"key": tf.gather(self.key, images)} if keys else rows


def batch(feature: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
    """The batch (a dict) made of feature [b, F] and targets int32 [b, T+1], right-padded with 0.

    `inputs` int32 [b, T] is targets without <end> and the last column: the words that the model has seen.
    """
    inputs = targets[:, :-1]
    return {"feature": feature, "inputs": tf.where(inputs == END, 0, inputs), "targets": targets}
