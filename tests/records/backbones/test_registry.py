"""Each backbone sees pixels as it was trained to, and its features are those of keras.applications."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.backbones.registry import BACKBONES, LoadedBackbone, load_backbone
from tests.records.inputs import DEMO

WEIGHTS = str(DEMO / "mobilenet_v2_notop_float16.weights.h5")
MODULES = {"resnet50": "resnet50", "mobilenet_v2": "mobilenet_v2", "densenet201": "densenet", "vgg16": "vgg16"}


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, 224, 224, 3)).astype(np.float32)


def relative(found, expected) -> float:
    return float(np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected))


def lively(model: keras.Model) -> keras.Model:
    """Random statistics for every batch normalisation: the initial ones would hide a mistake in folding them."""
    generator = np.random.default_rng(1)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
        elif weight.path.endswith(("beta", "moving_mean")):
            weight.assign(generator.normal(0, 0.1, weight.shape))
    return model


@pytest.fixture(scope="module")
def mobilenet() -> LoadedBackbone:
    return load_backbone("mobilenet_v2", WEIGHTS)


def test_every_backbone_is_tested():
    assert set(BACKBONES) == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_features_are_those_of_keras_with_its_own_preprocessing(name):
    spec = BACKBONES[name]
    model = lively(spec.build(None))
    images = pixels(2)
    preprocess = getattr(keras.applications, MODULES[name]).preprocess_input
    expected = model(preprocess(images.copy()), training=False).numpy()
    assert expected.shape == (2, spec.feature_size)
    backbone = LoadedBackbone(spec, model, "random", "float32", "one")
    found = backbone(images)
    assert found.dtype == tf.float32
    assert relative(found, expected) < 1e-5
    if name != "densenet201":  # its 700 layers take long to trace again
        np.testing.assert_array_equal(backbone.frozen(2)(images), found)


def test_embedded_weights_load_as_keras_loads_them(mobilenet):
    model = keras.applications.MobileNetV2(weights=WEIGHTS, include_top=False, pooling="avg")
    images = pixels(2)
    expected = model(keras.applications.mobilenet_v2.preprocess_input(images.copy()), training=False)
    assert relative(mobilenet(images), expected) < 1e-4


def test_views_are_averaged(mobilenet):
    images = pixels(3)
    plain = mobilenet(images).numpy()
    flip = load_backbone("mobilenet_v2", WEIGHTS, views="flip")
    mean = (plain + mobilenet(images[:, :, ::-1]).numpy()) / 2
    assert relative(flip(images), mean) < 1e-5
    assert relative(flip(images[:, :, ::-1]), mean) < 1e-5
    crops = load_backbone("mobilenet_v2", WEIGHTS, views="crops")
    zoomed = tf.image.resize(images[:, 22:202, 22:202], [224, 224]).numpy()
    mean = (mean + (mobilenet(zoomed).numpy() + mobilenet(zoomed[:, :, ::-1]).numpy()) / 2) / 2
    assert relative(crops(images), mean) < 1e-5
    assert "flip" in flip.preprocessing and "crops" in crops.preprocessing and "views" not in mobilenet.preprocessing


def test_bfloat16_is_near_and_says_when_it_is_slow(mobilenet, capsys):
    half = load_backbone("mobilenet_v2", WEIGHTS, "bfloat16")
    images = pixels(2)
    found = half(images)
    assert found.dtype == tf.float32
    assert 1e-5 < relative(found, mobilenet(images).numpy()) < 0.2
    assert half.weights_sha256 == mobilenet.weights_sha256
    warned = capsys.readouterr().err
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        fast = any(flag in file.read() for flag in ("avx512_bf16", "amx_bf16"))
    assert bool(warned) != (fast or bool(tf.config.list_physical_devices("GPU")))


@pytest.mark.parametrize("arguments, named", [
    (("alexnet", WEIGHTS), "--backbone=alexnet"),
    (("mobilenet_v2", WEIGHTS, "int4"), "--backbone_precision=int4"),
    (("mobilenet_v2", WEIGHTS, "float32", "all"), "--feature_views=all")])
def test_unknown_names_list_the_known(arguments, named):
    with pytest.raises(UserError, match=f"{named} is unknown: expected one of"):
        load_backbone(*arguments)


def test_a_failed_download_says_what_to_fetch(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(UserError) as error:
        load_backbone("resnet50", "imagenet")
    assert BACKBONES["resnet50"].weights_url in str(error.value)
    assert "--backbone_weights=PATH" in str(error.value)


def test_a_saved_model_holds_all_weights(mobilenet, tmp_path):
    tf.saved_model.save(mobilenet, str(tmp_path), signatures=mobilenet.traced)
    restored = tf.saved_model.load(str(tmp_path))
    images = pixels(2)
    found = restored.signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_array_equal(next(iter(found.values())), mobilenet(images))
