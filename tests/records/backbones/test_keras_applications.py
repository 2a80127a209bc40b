"""Every network of keras.applications has a name here, and sees pixels as Keras has it see them."""

import sys

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from records.backbones import keras_applications
from records.backbones.weights import weights_sha256

CONSTRUCTORS = sorted(name for name in dir(keras.applications) if name[0].isupper())
# Sizes that the papers and Keras's documentation give; all others take 224.
SIZES = {
    "inception_v3": 299, "inception_resnet_v2": 299, "xception": 299, "nasnet_large": 331, "efficientnet_b1": 240,
    "efficientnet_b2": 260, "efficientnet_b3": 300, "efficientnet_b4": 380, "efficientnet_b5": 456,
    "efficientnet_b6": 528, "efficientnet_b7": 600, "efficientnet_v2_b1": 240, "efficientnet_v2_b2": 260,
    "efficientnet_v2_b3": 300, "efficientnet_v2_s": 384, "efficientnet_v2_m": 480, "efficientnet_v2_l": 480}
# One of each kind of preprocessing, and those with layers that a copy could get wrong: nested and custom ones
# (ConvNeXt), statistics that are weights (EfficientNet), activations between convolution and normalisation (V3).
BUILT = ("resnet50", "mobilenet_v2", "densenet121", "vgg16", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny")


def lively(model: keras.Model) -> keras.Model:
    """Random statistics for every normalisation: the initial ones would hide a mistake in folding them."""
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance", "/variance")):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif weight.path.endswith(("beta", "moving_mean", "/mean")):
            weight.assign(generator.normal(0, 0.1, weight.shape))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def relative(found, expected) -> float:
    return float(np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected))


def module_of(name: str):
    return sys.modules[getattr(keras.applications, keras_applications.names()[name]).__module__]


def test_every_constructor_has_a_name_of_its_own():
    names = keras_applications.names()
    assert sorted(names.values()) == CONSTRUCTORS
    assert {"resnet50", "mobilenet_v2", "densenet201", "vgg16", "resnet152_v2", "efficientnet_b7", "efficientnet_v2_b0",
            "efficientnet_v2_s", "convnext_tiny", "convnext_xlarge", "inception_v3", "inception_resnet_v2", "xception",
            "nasnet_mobile", "mobilenet", "mobilenet_v3_small"} < names.keys()
    assert all(name == name.lower() for name in names)


@pytest.mark.parametrize("name", keras_applications.names())
def test_size_and_preprocessing_are_those_of_keras(name):
    encoder = keras_applications.application(name)
    assert encoder.image_size == SIZES.get(name, 224)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 5, 3)).astype(np.float32)
    expected = module_of(name).preprocess_input(pixels.copy())
    np.testing.assert_allclose(encoder.preprocess(tf.constant(pixels)), expected, rtol=1e-6, atol=1e-5)
    assert encoder.preprocessing.partition(":")[0] in ("caffe", "tf", "torch", "none")


@pytest.mark.parametrize("name", BUILT)
def test_frozen_features_are_those_of_keras_with_its_own_preprocessing(name):
    encoder = keras_applications.application(name)
    model = lively(encoder.build())
    size = encoder.image_size
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    expected = model(module_of(name).preprocess_input(images.copy()), training=False).numpy()
    assert expected.shape == (2, encoder.feature_size)
    backbone = encoder.for_inference(model)
    found = backbone(images)
    assert found.dtype == tf.float32
    assert relative(found, expected) < 1e-5
    if name in ("mobilenet_v2", "efficientnet_b0"):  # the others take long to trace again
        np.testing.assert_array_equal(backbone.frozen(2)(images), found)


def test_published_statistics_of_efficientnet_mean_the_same_from_a_file(tmp_path):
    """The files hold deviations as variances; Keras mends that in networks with weights="imagenet" alone."""
    encoder = keras_applications.application("efficientnet_b0")
    model = lively(encoder.build())
    normalization = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    normalization.adapt_mean.assign(mean)
    normalization.adapt_variance.assign(deviation)
    model.save_weights(tmp_path / "published.weights.h5")
    read = keras_applications.application("efficientnet_b0", str(tmp_path / "published.weights.h5")).build()
    layer = next(layer for layer in read.layers if isinstance(layer, keras.layers.Normalization))
    pixels = np.full([1, 2, 2, 3], 0.7, np.float32)
    np.testing.assert_allclose(layer(pixels), (pixels - mean) / deviation, rtol=1e-5)
    read.save_weights(tmp_path / "again.weights.h5")
    again = keras_applications.application("efficientnet_b0", str(tmp_path / "again.weights.h5")).build()
    assert weights_sha256(again) == weights_sha256(read)
    with h5py.File(tmp_path / "again.weights.h5") as file:
        np.testing.assert_allclose(file["layers/normalization/vars/1"], deviation ** 2)
