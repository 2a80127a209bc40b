import types

import numpy as np
import pytest
import tensorflow as tf

from records.input.options import InputOptions
from tagger.training.distributed_dataset import TrainInput, divide
from tagger.training.distribution import Devices


@pytest.mark.parametrize("rows, replicas, each", [(64, 3, 22), (6, 2, 3), (5, 3, 2), (2, 3, 1)])
def test_rows_keep_their_order_and_zeros_fill_up(rows, replicas, each):
    targets = np.arange(1, rows * 4 + 1, dtype=np.int32).reshape(rows, 4)
    parts = divide({"targets": tf.constant(targets)}, replicas)["targets"].numpy()
    assert parts.shape == (replicas, each, 4)
    joined = parts.reshape(-1, 4)
    assert np.array_equal(joined[:rows], targets)
    assert not joined[rows:].any()


@pytest.mark.parametrize("rows, hosts, replicas", [(64, 2, 3), (62, 1, 3), (64, 4, 1), (10, 2, 4), (2, 1, 3)])
def test_first_rows_are_where_the_rows_were_divided(rows, hosts, replicas):
    batch, first = np.arange(1, rows + 1, dtype=np.int32)[:, np.newaxis], []
    for host in range(hosts):
        options = InputOptions(batch_size=rows, host=host, hosts=hosts)
        parts = divide({"targets": tf.constant(batch[options.rows])}, replicas)["targets"].numpy()
        dataset = types.SimpleNamespace(options=options, steps_per_epoch=1)
        data = TrainInput(dataset, Devices(tf.distribute.get_strategy(), host, hosts, replicas, False))
        first += [(data.first_row(host * replicas + replica), part[0, 0] - 1)
                  for replica, part in enumerate(parts) if part.any()]
    assert len(first) >= hosts
    assert all(computed == actual for computed, actual in first)


def test_inside_a_dataset_the_last_axis_may_vary():
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([np.ones((5, 2), np.int32), np.ones((5, 7), np.int32)]),
        output_signature=tf.TensorSpec([5, None], tf.int32)).map(lambda x: divide({"inputs": x}, 2)["inputs"])
    assert dataset.element_spec.shape.as_list() == [2, 3, None]
    assert [batch.shape.as_list() for batch in dataset] == [[2, 3, 2], [2, 3, 7]]
