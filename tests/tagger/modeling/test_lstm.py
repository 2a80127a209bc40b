import keras
import numpy as np
import tensorflow as tf

from tagger.modeling.lstm import packed_lstm
from tagger.modeling.packed_sequence import pack

UNITS, WIDTH = 12, 9


def test_outputs_and_gradients_of_the_keras_layer():
    rng = np.random.default_rng(0)
    lengths = np.array([3, 1, 0, 6, 6, 2])
    mask = tf.sequence_mask(lengths, 7)
    x = rng.normal(size=(6, 7, WIDTH)).astype(np.float32)
    upstream = rng.normal(size=(6, 7, UNITS)).astype(np.float32) * mask.numpy()[..., None]
    layer = keras.layers.LSTM(UNITS, return_sequences=True, bias_initializer="random_normal")
    layer.build((None, None, WIDTH))
    weights = [tf.constant(w.numpy()) for w in layer.weights]
    x_variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        expected = layer(x_variable)
        loss = tf.reduce_sum(expected * upstream)
    expected_gradients = tape.gradient(loss, [x_variable, *[w.value for w in layer.weights]])

    @tf.function
    def packed(x, weights):
        packing = pack(mask)
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            flat = tf.gather(tf.reshape(x, [-1, WIDTH]), packing.index)
            outputs = packed_lstm(flat, tf.range(tf.shape(flat)[0]), packing.sizes, *weights)
            loss = tf.reduce_sum(outputs * tf.gather(tf.reshape(upstream, [-1, UNITS]), packing.index))
        return packing.index, outputs, tape.gradient(loss, [x, *weights])

    index, outputs, found = packed(tf.constant(x), weights)
    np.testing.assert_allclose(outputs, tf.gather(tf.reshape(expected, [-1, UNITS]), index), atol=1e-6)
    for one, other in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), other, atol=1e-5)


def test_inputs_that_several_positions_read_are_given_once():
    rng = np.random.default_rng(1)
    inputs, place = rng.normal(size=(4, WIDTH)).astype(np.float32), np.array([0, 3, 1, 1, 3, 1, 0], np.int32)
    sizes, upstream = tf.constant([3, 2, 2, 0]), rng.normal(size=(7, UNITS)).astype(np.float32)
    weights = [tf.constant(rng.normal(size=shape).astype(np.float32) / 4)
               for shape in ((WIDTH, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))]

    def run(x, place):
        with tf.GradientTape() as tape:
            tape.watch([x, *weights])
            outputs = packed_lstm(x, place, sizes, *weights)
            loss = tf.reduce_sum(outputs * upstream)
        return outputs, *tape.gradient(loss, [x, *weights])

    outputs, d_inputs, *rest = run(tf.constant(inputs), tf.constant(place))
    expected, d_each, *others = run(tf.constant(inputs[place]), tf.range(7))
    summed = np.zeros_like(inputs)
    np.add.at(summed, place, d_each.numpy())
    for one, other in zip([outputs, d_inputs, *rest], [expected, summed, *others], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
