"""A split held in memory: features, tokens and keys as tensors, batches as gathers from them.

One image's feature is stored once, however many captions it has; tokens are one flat array. The last image and the
last caption are empty: places of a batch that no caption fills point at them and become all-zero rows.
"""

import numpy as np
import tensorflow as tf

from records.progress import Progress
from records.reader import END, Split, parsed_blocks, reading_errors

_ALIGNMENT = 64  # bytes; TensorFlow takes a NumPy array as it is, without a copy, only when aligned so


def bytes_needed(split: Split) -> int:
    """Memory that `Held` takes, in bytes, from the manifest alone."""
    info = split.info
    per_image = 2 * split.feature_size + 64  # the feature and about that much for the key
    per_caption = 8 + 4 + 4 + 4  # start, length, image, and its place in the epoch's plan
    return info.examples * per_image + info.captions * per_caption + info.tokens * 4


class Held:
    """Reads a whole split, n images with c captions of t tokens.

    Attributes:
      feature: float16 [n+1, F].
      key: string [n+1].
      tokens: int32 [t].
      start, length, image: [c+1]; caption i is tokens[start[i]:start[i] + length[i]] of image[i].
      lengths: `length` without its last place as a NumPy array, int32 [c].
    """

    def __init__(self, split: Split, vocabulary_size: int):
        info = split.info
        feature = _aligned_zeros((info.examples + 1, split.feature_size), np.float16)
        tokens = np.zeros(max(info.tokens, 1), np.int32)
        start = np.zeros(info.captions + 1, np.int64)
        length = np.zeros(info.captions + 1, np.int32)
        image = np.full(info.captions + 1, info.examples, np.int32)
        keys: list[np.ndarray] = []
        n = c = t = 0
        shards = tf.range(len(info.shards), dtype=tf.int64)
        blocks = parsed_blocks(split, shards, vocabulary_size, parallel_calls=tf.data.AUTOTUNE)
        with Progress(f"reading {split.name}", info.examples, "images") as progress, reading_errors(split.records_dir):
            for _, _, block in blocks.prefetch(2).as_numpy_iterator():
                images, captions, ids = len(block["key"]), len(block["start"]), len(block["tokens"])
                feature[n:n + images] = block["feature"]
                tokens[t:t + ids] = block["tokens"]
                start[c:c + captions] = block["start"] + t
                length[c:c + captions] = block["length"]
                image[c:c + captions] = block["image"] + n
                keys.append(block["key"])
                n, c, t = n + images, c + captions, t + ids
                progress.add(images)
        self.lengths = length[:-1]
        with tf.device("cpu:0"):
            self.feature = tf.convert_to_tensor(feature)
            self.key = tf.constant(np.concatenate([*keys, np.array([b""], object)]), tf.string)
            self.tokens = tf.constant(tokens)
            self._rows_graph = tf.function(self.rows, autograph=False)  # made once, not in every epoch
            self.start, self.length, self.image = tf.constant(start), tf.constant(length), tf.constant(image)

    def batches(self, plan: np.ndarray, rows: slice, first_step: int) -> tf.data.Dataset:
        """Batches of the plan (int32 [steps, B]) from `first_step` on, of each only the given rows.

        Every batch is as wide as the longest caption of the whole plan row, so that hosts agree on shapes.
        """
        plan = plan[first_step:]
        lengths = np.append(self.lengths, 0).astype(np.int32)
        width = np.max(lengths[plan], axis=1, initial=1).astype(np.int32)
        return tf.data.Dataset.from_tensor_slices((np.ascontiguousarray(plan[:, rows]), width)).map(
            self._rows_graph, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def rows(self, captions: tf.Tensor, width: tf.Tensor) -> dict[str, tf.Tensor]:
        """The dict that training gets of captions int32 [b], `width` targets wide."""
        image = tf.gather(self.image, captions)
        return batch(tf.gather(self.key, image), tf.gather(self.feature, image), self.targets(captions, width))

    def targets(self, captions: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        """Words and <end> of captions int32 [b]: int32 [b, width], right-padded with 0."""
        start, length = tf.gather(self.start, captions), tf.gather(self.length, captions)
        column = tf.range(width)
        real = column < length[:, None]  # [b, width]
        place = tf.where(real, start[:, None] + tf.cast(column, tf.int64), 0)
        return tf.where(real, tf.gather(self.tokens, place), 0)


def batch(key: tf.Tensor, feature: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
    """The dict that training gets, from key [b], feature [b, F] and targets [b, T+1], right-padded with 0.

    `inputs` int32 [b, T] is targets without <end> and the last column: the words that the model has seen.
    """
    inputs = targets[:, :-1]
    return {"feature": feature, "inputs": tf.where(inputs == END, 0, inputs), "targets": targets, "key": key}


def _aligned_zeros(shape: tuple[int, int], dtype: type) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    first = -raw.ctypes.data % _ALIGNMENT
    return raw[first:first + size].view(dtype).reshape(shape)
