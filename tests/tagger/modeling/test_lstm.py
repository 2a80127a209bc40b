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
            outputs = packed_lstm(flat, packing.sizes, *weights)
            loss = tf.reduce_sum(outputs * tf.gather(tf.reshape(upstream, [-1, UNITS]), packing.index))
        return packing.index, outputs, tape.gradient(loss, [x, *weights])

    index, outputs, found = packed(tf.constant(x), weights)
    np.testing.assert_allclose(outputs, tf.gather(tf.reshape(expected, [-1, UNITS]), index), atol=1e-6)
    for one, other in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), other, atol=1e-5)
