"""Features for a stream of encoded images: decoded on all cores, computed in batches of one fixed shape.

    extractor = Extractor(load_backbone("resnet50", "imagenet"))
    for feature in extractor.features(read_bytes(path) for path in paths):
        ...                                     # float16 [2048], or None for bytes that TensorFlow cannot decode

The last batch is filled up with black images. So every image goes through the same compiled program, and its feature
is the same whatever images are beside it, before it, or left to another process.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from records.backbones import LoadedBackbone
from records.preprocess import IMAGE_SIZE, decode_and_resize

BATCH_SIZE = 32
_BATCHES_AHEAD = 2


class Extractor:
    """A backbone ready for many images.

    Attributes:
      backbone: where the features come from.
      batch_size: images computed at once. Features may differ in the last bit between batch sizes, so it belongs to
        what a records folder is a function of.
    """

    def __init__(self, backbone: LoadedBackbone, batch_size: int = BATCH_SIZE):
        self.backbone, self.batch_size = backbone, batch_size
        self._compute = backbone.frozen(batch_size)
        # Traced once: a dataset that maps the plain function would trace all decoders anew for every shard.
        self._decode = tf.function(decode_and_resize, input_signature=[tf.TensorSpec([], tf.string)])

    def features(self, images: Iterable[bytes]) -> Iterator[np.ndarray | None]:
        """Yields one float16 [F] array per image, in order; None for one that `decode_and_resize` refuses.

        `images` is read ahead by a few batches on another thread; what it raises is raised here, after the features of
        all images before it.
        """
        expected = taken = 0
        failures: list[Exception] = []

        def numbered() -> Iterator[tuple[int, bytes]]:
            nonlocal taken
            try:
                for data in images:
                    taken += 1
                    yield taken - 1, data
            except Exception as error:  # raised through the dataset, ignore_errors would end it as if complete
                failures.append(error)

        for rows, features in self._batches(numbered):
            for row, feature in zip(rows, features, strict=True):
                yield from itertools.repeat(None, row - expected)
                yield feature
                expected = row + 1
        yield from itertools.repeat(None, taken - expected)
        if failures:
            raise failures[0]

    def _batches(self, numbered: Callable[[], Iterator[tuple[int, bytes]]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers int64 [n] and their features float16 [n, F], n = batch_size but for the last batch."""
        dataset = tf.data.Dataset.from_generator(
            numbered, output_signature=(tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.string)))
        dataset = dataset.map(lambda row, data: (row, self._decode(data)), num_parallel_calls=tf.data.AUTOTUNE)
        dataset = dataset.ignore_errors(log_warning=False).batch(self.batch_size).prefetch(_BATCHES_AHEAD)
        for rows, pixels in dataset:
            count = rows.shape[0]
            if count < self.batch_size:
                filler = tf.zeros([self.batch_size - count, IMAGE_SIZE, IMAGE_SIZE, 3])
                pixels = tf.concat([pixels, filler], 0)
            yield rows.numpy(), self._compute(pixels)[:count].numpy().astype(np.float16)
