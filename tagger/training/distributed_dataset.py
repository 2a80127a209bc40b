"""Batches of the records brought to the replicas.

Each host reads its rows of the global batch. They are divided among its replicas in order, so that row r of the global
batch is row r again when the replicas' rows are put behind one another; rows of zeros, which carry no weight, are added
where the number does not divide: 64 rows on 3 replicas are 22, 22 and 20 + 2 of zeros.
"""

from typing import Protocol, TypeAlias

import tensorflow as tf

from records.input.options import InputOptions
from tagger.training.distribution import Devices

Distributed: TypeAlias = "tf.data.Dataset | tf.distribute.DistributedDataset"


class ShuffledDataset(Protocol):
    """What is trained on: `CaptionDataset`, `ImageDataset`, or the like."""

    steps_per_epoch: int
    options: InputOptions

    def epoch(self, epoch: int, start_step: int = 0, keys: bool = True) -> tf.data.Dataset:
        """This host's rows of the batches of an epoch, from `start_step` on: dicts, with the images' names as `key`
        string [b] where asked for; rows that only fill a batch have the key "".
        """


class OrderedDataset(Protocol):
    """What is validated on."""

    steps_per_epoch: int

    def ordered(self, keys: bool = True) -> tf.data.Dataset:
        """The same dicts in a fixed order, every example once."""


class TrainInput:
    """The train split as distributed datasets of what a step reads: all but the keys.

    Attributes:
      steps: batches in an epoch.
      batch_rows: rows of the global batch.
    """

    def __init__(self, dataset: ShuffledDataset, devices: Devices):
        self._dataset, self._devices = dataset, devices
        self.steps, self.batch_rows = dataset.steps_per_epoch, dataset.options.batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Distributed:
        """The shuffled batches of an epoch, from `start_step` on."""
        return _distribute(self._dataset.epoch(epoch, start_step, keys=False), self._devices)

    def first_row(self, replica: tf.Tensor | int) -> tf.Tensor | int:
        """Place in the global batch of the first row that a replica gets.

        Example: of 64 rows, 2 hosts of 3 replicas get theirs from 0, 11, 22, 32, 43 and 54 on: a host's share of 32 is
        11, 11 and 10 + 1 of zeros.

        Args:
          replica: its number among those of all hosts, the hosts in order.
        """
        replicas, rows = self._devices.local_replicas, self._dataset.options.rows_per_host
        return replica // replicas * rows + replica % replicas * -(-rows // replicas)

    def keys(self, epoch: int, step: int) -> list[str]:
        """Names of the images in one batch of an epoch, sorted, each once: the pipeline is asked for it again."""
        batch = next(self._dataset.epoch(epoch, step).as_numpy_iterator())
        return sorted({key.decode() for key in batch["key"]} - {""})


class ValidationInput:
    """The validation split likewise, in a fixed order.

    Attributes:
      steps: batches in a pass.
    """

    def __init__(self, dataset: OrderedDataset, devices: Devices):
        self._dataset, self._devices = dataset, devices
        self.steps = dataset.steps_per_epoch

    def ordered(self) -> Distributed:
        """Every example once."""
        return _distribute(self._dataset.ordered(keys=False), self._devices)


def _distribute(dataset: tf.data.Dataset, devices: Devices) -> Distributed:
    replicas, strategy = devices.local_replicas, devices.strategy
    if replicas > 1:
        dataset = dataset.flat_map(lambda batch: tf.data.Dataset.from_tensor_slices(divide(batch, replicas)))
    if devices.replicas == 1:
        if devices.on_gpu:
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
