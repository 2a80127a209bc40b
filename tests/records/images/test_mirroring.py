import numpy as np
import pytest
import tensorflow as tf

from records.images.mirroring import mirrored


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5, 3), (0, 4, 5, 3)])
def test_left_and_right_are_exchanged(shape, dtype):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
    np.testing.assert_array_equal(mirrored(tf.constant(images)), np.flip(images, -2))


def test_of_any_batch_size_in_a_graph():
    spec = tf.TensorSpec([None, 6, 7, 3], tf.float32)
    traced = tf.function(mirrored, input_signature=[spec])
    assert traced.get_concrete_function().structured_outputs.shape.as_list() == spec.shape.as_list()
