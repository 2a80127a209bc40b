"""Batches of the records brought to the replicas.

Each host reads its rows of the global batch. They are divided among its replicas in order, so that row r of the global
batch is row r again when the replicas' rows are put behind one another; rows of zeros, which carry no weight, are added
where the number does not divide: 64 rows on 3 replicas are 22, 22 and 20 + 2 of zeros.
"""

import tensorflow as tf

from records.input.caption_dataset import TrainBatches
from records.input.image_dataset import ImageBatches
from tagger.training.distribution import Devices


class Feed:
    """One split as (distributed) datasets of what a step reads: all but the keys.

    Attributes:
      steps: batches in an epoch.
    """

    def __init__(self, batches: TrainBatches | ImageBatches, devices: Devices):
        self._batches, self._devices = batches, devices
        self.steps = batches.steps_per_epoch

    def epoch(self, epoch: int, start_step: int = 0) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """The shuffled batches of an epoch, from `start_step` on."""
        return self._distribute(self._batches.epoch(epoch, start_step, keys=False))

    def ordered(self) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        """Every caption once, in a fixed order; of TrainBatches only."""
        assert isinstance(self._batches, TrainBatches)
        return self._distribute(self._batches.ordered(keys=False))

    def keys(self, epoch: int, step: int) -> list[str]:
        """Names of the images in one batch of an epoch, sorted, each once: the pipeline is asked for it again."""
        batch = next(self._batches.epoch(epoch, step).as_numpy_iterator())
        return sorted({key.decode() for key in batch["key"]} - {""})

    def _distribute(self, dataset: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
        replicas, strategy = self._devices.local_replicas, self._devices.strategy
        if replicas > 1:
            dataset = dataset.flat_map(lambda batch: tf.data.Dataset.from_tensor_slices(divide(batch, replicas)))
        if self._devices.replicas == 1:
            if self._devices.on_gpu:
                return dataset.apply(tf.data.experimental.prefetch_to_device("/gpu:0"))
            return dataset.prefetch(2)
        return strategy.distribute_datasets_from_function(lambda _: dataset.prefetch(2 * replicas))


def divide(batch: dict[str, tf.Tensor], replicas: int) -> dict[str, tf.Tensor]:
    """Each [b, …] as [replicas, ceil(b / replicas), …], filled up with zeros."""
    def split(value):
        rows = value.shape[0]
        each = -(-rows // replicas)
        padded = tf.pad(value, [[0, each * replicas - rows]] + [[0, 0]] * (value.shape.rank - 1))
        return tf.reshape(padded, tf.concat([[replicas, each], tf.shape(value)[1:]], axis=0))

    def known(before, after):
        each = -(-before.shape[0] // replicas)
        return tf.ensure_shape(after, [replicas, each, *before.shape[1:]])

    return {name: known(value, split(value)) for name, value in batch.items()}
