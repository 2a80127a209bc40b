"""Batches of photos with all their captions, for training a backbone: decoded, augmented, exact and restartable.

    dataset = PixelDataset(open_split(records_dir, "train"), InputOptions(batch_size=32, seed=0), vocabulary_size=9000,
                           image_size=224, augmentation=Augmentation())
    for batch in dataset.epoch(3, start_step=10): ...

As in records.input.caption_dataset, batch k of epoch e is a pure function of (records, seed, e, k, batch size), every
photo comes once per epoch, in a view of its own of that epoch, and every host reads and decodes only its rows. Photos
and their captions are read where they lie (records.input.record_index); what is held is some 40 bytes a photo.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.format.manifest import Manifest
from records.images.augmentation import Augmentation, augment, view_numbers, whole
from records.input import shuffling
from records.input.options import InputOptions
from records.input.record_captions import RecordCaptions
from records.input.record_index import RecordIndex
from records.input.shard_reader import END, Split, raised_in_pipeline

_VIEWS_KEY = 2  # keeps the words that decide views apart from those of other orders
_READS_AHEAD = 2  # batches read from disk while others are decoded
_FEATURES = {"image": tf.io.FixedLenFeature([], tf.string, ""), "key": tf.io.FixedLenFeature([], tf.string, ""),
             "tokens": tf.io.RaggedFeature(tf.int64)}
# A mirrored photo of "a man on the left" would be taught as what it no longer is.
SIDED_WORDS = frozenset({"left", "right", "lefthand", "righthand", "leftmost", "rightmost", "clockwise",
                         "counterclockwise"})


def check_photos(manifest: Manifest, records_dir: str) -> None:
    """Raises UserError where records hold no photos."""
    if not manifest.flags.get("store_images", True):
        raise UserError(f"--records_dir={records_dir}: was made with --store_images=false; training a backbone needs "
                        "the photos in the records")


class PixelDataset:
    """One split as batches of photos.

    Attributes:
      options: as given; the batch size counts photos.
      steps_per_epoch: batches in every epoch.
      references: R, captions of the image that has most.
    """

    def __init__(self, split: Split, options: InputOptions, *, vocabulary_size: int, image_size: int,
                 augmentation: Augmentation | None = None, sided_ids: frozenset[int] = frozenset()):
        """Reads nothing yet.

        Args:
          split: what to read; its records hold their photos.
          options: the batch size counts photos.
          vocabulary_size: ids from here on become <unk>.
          image_size: side of the square in pixels that the backbone takes.
          augmentation: of the epochs' views; None shows whole photos.
          sided_ids: ids of SIDED_WORDS; a photo with one in a caption is not mirrored.

        Raises:
          UserError: the records hold no photos.
        """
        check_photos(split.manifest, split.records_dir)
        self._split, self.options, self._vocabulary_size = split, options, vocabulary_size
        self._image_size, self._augmentation, self._sided_ids = image_size, augmentation, sided_ids
        self.steps_per_epoch = -(-split.info.examples // options.batch_size)

    @functools.cached_property
    def _index(self) -> RecordIndex:
        return RecordIndex(self._split)

    @functools.cached_property
    def captions(self) -> RecordCaptions:
        """Those of the split; all are read once, on first use."""
        return RecordCaptions(self._split, self._vocabulary_size, self._sided_ids)

    @property
    def references(self) -> int:
        return self.captions.most

    def epoch(self, epoch: int, start_step: int = 0, keys: bool = True) -> tf.data.Dataset:
        """The batches of an epoch in random order, from `start_step` on, without `key` where `keys` is False.

        Returns:
          Dataset of dicts, b rows each, a photo a row: `image` uint8 [b, S, S, 3], RGB; `inputs` int32 [b, R, T], the
          words of all its captions, right-padded with 0; `targets` int32 [b, R, T+1], words and <end> likewise;
          `key` string [b]. What fills the last batch, and captions of photos that have fewer than R, is 0 and "".
        """
        order = shuffling.permutation(self._split.info.examples, self.options.seed, epoch)
        return self._batches(order, start_step, shuffling.word(self.options.seed, epoch, _VIEWS_KEY), keys)

    def ordered(self, keys: bool = True) -> tf.data.Dataset:
        """The same dicts of whole photos in stored order, for validation."""
        return self._batches(np.arange(self._split.info.examples), 0, None, keys)

    def _batches(self, order: np.ndarray, start_step: int, views: int | None, keys: bool) -> tf.data.Dataset:
        plan = shuffling.pad_plan(order, self.options.batch_size)[start_step:]
        # As wide as the longest caption of the batch on any host, so that the hosts' shapes agree.
        width = self.captions.longest[plan].max(axis=1, initial=1)
        rows = np.ascontiguousarray(plan[:, self.options.rows])
        count = rows.shape[1]
        steps = tf.data.Dataset.from_tensor_slices((rows, width))
        photos = steps.map(self._encoded, num_parallel_calls=_READS_AHEAD, deterministic=True).unbatch()
        pixels = self._whole if views is None or self._augmentation is None else functools.partial(
            self._view, tf.constant(views, tf.int64))

        def row(image: tf.Tensor, key: tf.Tensor, may_mirror: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
            words = targets[:, :-1]
            photo = {"image": pixels(image, key, may_mirror), "inputs": tf.where(words == END, 0, words),
                     "targets": targets}
            return photo | {"key": key} if keys else photo

        unconverted = tf.autograph.experimental.do_not_convert
        photos = photos.map(unconverted(row), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        return photos.batch(count, drop_remainder=True).prefetch(2).with_options(self._tf_options())

    def _read(self, numbers: np.ndarray) -> np.ndarray:
        """Serialized examples, object [b], of photos by number; where nothing fills the batch b"", an empty one."""
        present = numbers < self._split.info.examples
        data = np.full(len(numbers), b"", object)
        try:
            data[present] = np.array([*self._index.read(numbers[present]), b""], object)[:-1]
        except UserError as error:
            raise raised_in_pipeline(error) from error
        return data

    # Traced once, not in every epoch, which would take 0.2 s.

    @functools.cached_property
    def _encoded(self) -> Callable[..., tuple[tf.Tensor, ...]]:
        """From numbers of photos int32 [b] and the width of their batch, to photo, key, whether it may be mirrored and
        targets int32 [b, R, width]."""
        def encoded(numbers: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, ...]:
            serialized = tf.ensure_shape(tf.numpy_function(self._read, [numbers], tf.string), numbers.shape)
            example = tf.io.parse_example(serialized, _FEATURES)
            return (example["image"], example["key"], ~tf.gather(self.captions.marked, numbers),
                    self.captions.targets(example["tokens"], width))

        return tf.function(encoded, autograph=False)

    @functools.cached_property
    def _view(self) -> Callable[..., tf.Tensor]:
        """From the epoch's word for views, photo, key and whether it may be mirrored, to its view."""
        def view(views: tf.Tensor, image: tf.Tensor, key: tf.Tensor, may_mirror: tf.Tensor) -> tf.Tensor:
            assert self._augmentation
            numbers = view_numbers(views, key)
            return self._unless_empty(
                image, functools.partial(augment, image, self._image_size, self._augmentation, numbers, may_mirror))

        return tf.function(view, autograph=False)

    @functools.cached_property
    def _whole(self) -> Callable[..., tf.Tensor]:
        """The same of whole photos, without the word."""
        def view(image: tf.Tensor, key: tf.Tensor, may_mirror: tf.Tensor) -> tf.Tensor:
            return self._unless_empty(image, functools.partial(whole, image, self._image_size))

        return tf.function(view, autograph=False)

    def _unless_empty(self, image: tf.Tensor, pixels: Callable[[], tf.Tensor]) -> tf.Tensor:
        """uint8 [S, S, 3]: what `pixels` gives, or zeros where nothing fills the batch."""
        side = self._image_size
        return tf.cond(image == "", lambda: tf.zeros([side, side, 3], tf.uint8), pixels)

    def _tf_options(self) -> tf.data.Options:
        options = tf.data.Options()
        options.deterministic = True
        # Rewriting the graph at the start of every epoch takes longer than it gains.
        options.experimental_optimization.apply_default_optimizations = False
        # The rows are this host's already: nothing may be divided again when a strategy distributes them.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        if self.options.threads:
            options.threading.private_threadpool_size = self.options.threads
        return options
