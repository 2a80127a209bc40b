"""Features for a stream of encoded images: decoded on all cores, computed in batches of one fixed shape.

    extractor = Extractor(load_backbone("resnet50", "imagenet"))
    for feature in extractor.features(read_bytes(path) for path in paths):
        ...                                     # float16 [2048], or None for bytes that TensorFlow cannot decode

The last batch is filled up with black images. So every image goes through the same compiled program, and its feature
is the same whatever images are beside it, before it, or left to another process.
"""

import collections
import functools
import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from records.backbones.frozen_encoder import FrozenEncoder
from records.images import jpeg_integrity
from records.images.decoding import decode_and_resize, decode_upright_jpeg
from records.util.process_pool import cpus

BATCH_SIZE = 32
_BATCHES_AHEAD = 3  # one that is computed, two that are decoded meanwhile


class Extractor:
    """A backbone ready for many images.

    Attributes:
      backbone: where the features come from.
      batch_size: images computed at once. Features may differ in the last bit between batch sizes, so it belongs to
        what a records folder is a function of.
    """

    def __init__(self, backbone: FrozenEncoder, batch_size: int = BATCH_SIZE):
        self.backbone, self.batch_size = backbone, batch_size
        self._compute = backbone.frozen(batch_size)
        self._size = backbone.image_size
        signature = [tf.TensorSpec([], tf.string)]
        self._decode_any, self._decode_upright_jpeg = (
            tf.function(functools.partial(decode, size=self._size), signature, autograph=False)
            for decode in (decode_and_resize, decode_upright_jpeg))

    def features(self, images: Iterable[bytes]) -> Iterator[np.ndarray | None]:
        """Yields one float16 [F] array per image, in order; None for one that `decode_and_resize` refuses.

        `images` is read ahead by a few batches; what it raises is raised here, after the features of all images before
        it.
        """
        failures: list[Exception] = []

        def until_failure() -> Iterator[bytes]:
            try:
                yield from images
            except Exception as error:
                failures.append(error)

        remaining = until_failure()
        with ThreadPoolExecutor(cpus()) as threads:
            def decode_some(count: int) -> list[Future[np.ndarray | None]]:
                return [threads.submit(self._decode, data) for data in itertools.islice(remaining, count)]

            waiting = collections.deque(decode_some(_BATCHES_AHEAD * self.batch_size))
            try:
                while waiting:
                    # A batch is full of images that decode: those that do not leave no gap.
                    decoded: list[np.ndarray | None] = []
                    good = 0
                    while waiting and good < self.batch_size:
                        decoded.append(waiting.popleft().result())
                        good += decoded[-1] is not None
                    waiting.extend(decode_some(len(decoded)))
                    yield from self._features_of(decoded)
            finally:
                threads.shutdown(cancel_futures=True)
        if failures:
            raise failures[0]

    def _decode(self, data: bytes) -> np.ndarray | None:
        """float32 [image_size, image_size, 3], or None."""
        frame = jpeg_integrity.read_frame(data) if data.startswith(b"\xff\xd8\xff") else None
        decode = self._decode_any if frame is None or frame.has_app1 else self._decode_upright_jpeg
        try:
            return decode(tf.constant(data)).numpy()
        except tf.errors.OpError:
            return None

    def _features_of(self, decoded: list[np.ndarray | None]) -> Iterator[np.ndarray | None]:
        good = [pixels for pixels in decoded if pixels is not None]
        batch = np.zeros([self.batch_size, self._size, self._size, 3], np.float32)
        if good:
            np.stack(good, out=batch[:len(good)])
        with np.errstate(over="ignore"):  # infinity then, which whoever stores it looks for
            features = iter(self._compute(tf.constant(batch)).numpy().astype(np.float16) if good else ())
        for pixels in decoded:
            yield None if pixels is None else next(features)
