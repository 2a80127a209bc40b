import numpy as np
import pytest
import tensorflow as tf

from tagger.training.distributed_dataset import divide


@pytest.mark.parametrize("rows, replicas, each", [(64, 3, 22), (6, 2, 3), (5, 3, 2), (2, 3, 1)])
def test_rows_keep_their_order_and_zeros_fill_up(rows, replicas, each):
    targets = np.arange(1, rows * 4 + 1, dtype=np.int32).reshape(rows, 4)
    parts = divide({"targets": tf.constant(targets)}, replicas)["targets"].numpy()
    assert parts.shape == (replicas, each, 4)
    joined = parts.reshape(-1, 4)
    assert np.array_equal(joined[:rows], targets)
    assert not joined[rows:].any()


def test_inside_a_dataset_the_last_axis_may_vary():
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([np.ones((5, 2), np.int32), np.ones((5, 7), np.int32)]),
        output_signature=tf.TensorSpec([5, None], tf.int32)).map(lambda x: divide({"inputs": x}, 2)["inputs"])
    assert dataset.element_spec.shape.as_list() == [2, 3, None]
    assert [batch.shape.as_list() for batch in dataset] == [[2, 3, 2], [2, 3, 7]]
