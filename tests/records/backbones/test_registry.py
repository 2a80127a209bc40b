"""Backbones by name, with their weights, frozen; what is unknown or cannot be had is one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.backbones.frozen_encoder import FrozenEncoder
from records.backbones.registry import load_backbone, load_encoder, recorded_weights
from tests.records.inputs import DEMO

WEIGHTS = str(DEMO / "mobilenet_v2_notop_float16.weights.h5")


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, 224, 224, 3)).astype(np.float32)


def relative(found, expected) -> float:
    return float(np.linalg.norm(np.asarray(found) - expected) / np.linalg.norm(expected))


@pytest.fixture(scope="module")
def mobilenet() -> FrozenEncoder:
    return load_backbone("mobilenet_v2", WEIGHTS)


def test_embedded_weights_load_as_keras_loads_them(mobilenet):
    model = keras.applications.MobileNetV2(weights=WEIGHTS, include_top=False, pooling="avg")
    images = pixels(2)
    expected = model(keras.applications.mobilenet_v2.preprocess_input(images.copy()), training=False)
    assert relative(mobilenet(images), expected) < 1e-4


def test_another_image_size_is_that_of_keras_with_other_images():
    network = load_backbone("mobilenet_v2", WEIGHTS, image_size=96)
    model = keras.applications.MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(96, 96, 3))
    model.set_weights(keras.applications.MobileNetV2(weights=WEIGHTS, include_top=False).get_weights())
    images = pixels(2)[:, :96, :96]
    expected = model(keras.applications.mobilenet_v2.preprocess_input(images.copy()), training=False)
    assert relative(network(images), expected) < 1e-4
    assert network.info.image_size == 96


def test_an_image_size_that_cannot_be():
    with pytest.raises(UserError, match="--image_size=16: --backbone=mobilenet_v2 takes no such photos"):
        load_backbone("mobilenet_v2", WEIGHTS, image_size=16)
    own = "tests.records.backbones.networks:small"
    with pytest.raises(UserError, match=f"--image_size=64: --backbone={own} sees photos of 96 pixels a side"):
        load_encoder(own, image_size=64)


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
    assert "flip" in flip.info.preprocessing and "crops" in crops.info.preprocessing
    assert "views" not in mobilenet.info.preprocessing


def test_bfloat16_is_near_and_says_when_it_is_slow(mobilenet, capsys):
    half = load_backbone("mobilenet_v2", WEIGHTS, "bfloat16")
    images = pixels(2)
    found = half(images)
    assert found.dtype == tf.float32
    assert 1e-5 < relative(found, mobilenet(images).numpy()) < 0.2
    assert half.info.weights_sha256 == mobilenet.info.weights_sha256
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


def test_a_misspelt_name_is_met_with_those_like_it():
    with pytest.raises(UserError, match="--backbone=EfficientNetV2S is unknown: .*efficientnet_v2_s"):
        load_backbone("EfficientNetV2S", WEIGHTS)
    with pytest.raises(UserError, match="--backbone=zzz is unknown: .*mobilenet_v2, .*xception, or module:function"):
        load_backbone("zzz", WEIGHTS)
    with pytest.raises(UserError, match="expected one of resnet101, resnet50, resnet152, or another network"):
        load_backbone("resnet99", WEIGHTS)
    with pytest.raises(UserError, match="expected one of efficientnet_b0, efficientnet_b1, efficientnet_b2, or"):
        load_backbone("efficientnet", WEIGHTS)


def test_weights_that_moved_since_the_records_were_made():
    """It is said where the path comes from, as nobody typed it in this command."""
    assert recorded_weights("", WEIGHTS) == recorded_weights(WEIGHTS, "gone.h5") == WEIGHTS
    assert recorded_weights("", "imagenet") == "imagenet"
    with pytest.raises(UserError, match=r"^gone.h5: make_records read .* there, relative to .*--backbone_weights=PATH"):
        recorded_weights("", "gone.h5")
    with pytest.raises(UserError, match="^--backbone_weights=typed.h5: no such file"):
        recorded_weights("typed.h5", WEIGHTS)


def test_a_failed_download_says_what_to_fetch(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: refused at once
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    with pytest.raises(UserError) as error:
        load_backbone("resnet50", "imagenet")
    assert "fetch https://" in str(error.value) and "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5 where" in str(
        error.value)
    assert "--backbone_weights=PATH" in str(error.value)


def test_a_saved_model_holds_all_weights(mobilenet, tmp_path):
    tf.saved_model.save(mobilenet, str(tmp_path), signatures=mobilenet.traced)
    restored = tf.saved_model.load(str(tmp_path))
    images = pixels(2)
    found = restored.signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_array_equal(next(iter(found.values())), mobilenet(images))
