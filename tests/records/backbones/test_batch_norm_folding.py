import keras
import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.backbones.batch_norm_folding import FoldedNetwork, fold_batch_norm
from tests.records.backbones.networks import Subclassed

LAYERS = keras.layers
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)


def network() -> keras.Model:
    """Two normalisations that can be folded, and one that cannot: its convolution has another reader."""
    inputs = keras.Input((16, 16, 3))
    x = LAYERS.ReLU()(LAYERS.BatchNormalization()(LAYERS.Conv2D(4, 3, use_bias=False)(inputs)))
    x = LAYERS.BatchNormalization(scale=False)(LAYERS.DepthwiseConv2D(3, depth_multiplier=2)(x))
    convolved = LAYERS.Conv2D(4, 1)(x)
    x = LAYERS.BatchNormalization()(convolved) + convolved
    model = keras.Model(inputs, LAYERS.GlobalAveragePooling2D()(x))
    random = np.random.default_rng(1)
    model.set_weights([random.uniform(0.2, 1.2, weight.shape) for weight in model.get_weights()])
    return model


def normalisations(model: keras.Model) -> int:
    return sum(isinstance(layer, LAYERS.BatchNormalization) for layer in model.layers)


def test_the_same_function_with_fewer_operations():
    model = network()
    folded = fold_batch_norm(model)
    assert (normalisations(model), normalisations(folded)) == (3, 1)
    np.testing.assert_allclose(folded(IMAGES), model(IMAGES, training=False), rtol=1e-4)


def test_bfloat16_computes_so_and_keeps_its_weights():
    model = network()
    folded = fold_batch_norm(model, "bfloat16")
    assert {layer.compute_dtype for layer in folded.layers if isinstance(layer, LAYERS.Conv2D)} == {"bfloat16"}
    assert {weight.dtype for weight in folded.weights} == {"float32"}
    np.testing.assert_allclose(folded(IMAGES), model(IMAGES, training=False), rtol=0.05)


def test_a_model_that_cannot_be_copied():
    model = Subclassed()
    model(IMAGES)
    assert fold_batch_norm(model) is model
    with pytest.raises(UserError, match="--backbone_precision=bfloat16: the network has layers that Keras cannot copy"):
        fold_batch_norm(model, "bfloat16")


def test_a_folded_network_follows_the_weights_and_passes_their_gradients_on():
    model = network()
    folded = FoldedNetwork(model)
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    weights = [weight.value for layer in model.layers if not isinstance(layer, LAYERS.BatchNormalization)
               for weight in layer.weights]

    def answer(network):
        with tf.GradientTape() as tape:
            features = network(IMAGES)
            loss = tf.reduce_sum(features ** 2)
        return features, tape.gradient(loss, weights)

    (features, gradients), (expected, expected_gradients) = (
        answer(one) for one in (folded, lambda images: model(images, training=False)))
    np.testing.assert_allclose(features, expected, rtol=1e-4)
    for gradient, like in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, like, rtol=1e-3, atol=1e-3 * np.abs(like).max())


def test_a_folded_network_of_a_model_that_cannot_be_copied():
    model = Subclassed()
    model(IMAGES)
    np.testing.assert_allclose(FoldedNetwork(model)(IMAGES), model(IMAGES))
    with pytest.raises(UserError, match="--backbone_precision=bfloat16: the network has layers that Keras cannot copy"):
        FoldedNetwork(model, "bfloat16")
