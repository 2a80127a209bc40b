"""One object for every backbone: built to be trained, or frozen to be fast, a published one or one's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.backbones.registry import load_backbone, load_encoder
from records.backbones.weights import weights_sha256
from tests.conftest import ROOT
from tests.records.inputs import DEMO

NETWORKS = "tests.records.backbones.networks:"
EMBEDDED = str(DEMO / "mobilenet_v2_notop_float16.weights.h5")


def pixels(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["small", "nested", "subclassed"])
def test_frozen_and_built_compute_the_same(name):
    encoder = load_encoder(NETWORKS + name)
    model, images = encoder.build(), pixels(3, encoder.image_size)
    expected = model(encoder.preprocess(tf.constant(images)), training=False).numpy()
    frozen = encoder.for_inference(model)
    np.testing.assert_allclose(frozen(images), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(frozen.frozen(3)(images), expected, rtol=1e-4, atol=1e-5)
    assert (frozen.image_size, frozen.feature_size) == (encoder.image_size, encoder.feature_size)
    assert frozen.info.name == NETWORKS + name and frozen.info.preprocessing == "0..1"


def test_what_was_trained_can_be_frozen():
    encoder = load_encoder(NETWORKS + "small")
    model, images = encoder.build(trainable=True), tf.constant(pixels(4, 96))
    before = encoder.for_inference(model)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(encoder.preprocess(images), np.ones([4, 16]), epochs=2, verbose=0)
    after = encoder.for_inference(model)
    expected = model(encoder.preprocess(images), training=False).numpy()
    np.testing.assert_allclose(after(images), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(np.asarray(before(images)) - expected).max() > 1e-3  # and what was frozen before has not moved
    assert before.info.weights_sha256 != after.info.weights_sha256


def test_trainable_or_not():
    encoder = load_encoder("mobilenet_v2", EMBEDDED)
    assert not encoder.build().trainable_weights
    model = encoder.build(trainable=True)
    assert len(model.trainable_weights) > 100
    assert weights_sha256(model) == weights_sha256(encoder.build())


def test_the_hash_does_not_depend_on_what_was_built_before():
    """Keras numbers layers per process, which are other numbers when a network is built a second time."""
    first, second = (load_encoder(NETWORKS + "small").build() for _ in range(2))
    assert first.weights[0].path != second.weights[0].path
    assert weights_sha256(first) == weights_sha256(second)


def test_weights_of_a_file_take_the_place_of_the_functions(tmp_path):
    model = load_encoder(NETWORKS + "small").build()
    model.weights[0].assign(model.weights[0] + 1)
    model.save_weights(tmp_path / "own.weights.h5")
    read = load_backbone(NETWORKS + "small", str(tmp_path / "own.weights.h5"))
    assert read.info.weights_sha256 == weights_sha256(model)
    assert read.info.weights == str(tmp_path / "own.weights.h5")


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "data.md").read_text()
    example = text[text.index("With `my_networks.py`"):]
    (tmp_path / "my_networks.py").write_text(example.split("```python\n")[1].split("```")[0])
    monkeypatch.chdir(tmp_path)
    encoder = load_encoder("my_networks:small")
    assert (encoder.image_size, encoder.feature_size, encoder.name) == (192, 1280, "my_networks:small")
    np.testing.assert_array_equal(encoder.preprocess(tf.constant([[[[0.0, 127.5, 255.0]]]])), [[[[-1, 0, 1]]]])


def test_weights_of_nested_layers_are_read_from_a_file(tmp_path):
    model = load_encoder(NETWORKS + "nested").build()
    model.save_weights(tmp_path / "own.weights.h5")
    read = load_encoder(NETWORKS + "nested", str(tmp_path / "own.weights.h5")).build()
    assert weights_sha256(read) == weights_sha256(model)
    for found, expected in zip(read.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_that_are_not_finite_are_refused_by_their_layer(tmp_path):
    model = load_encoder(NETWORKS + "nested").build()
    model.get_layer("head").bias.assign([0, 0, np.nan, 0, 0])
    model.save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(UserError, match="--backbone_weights=.*own.weights.h5: the weights of the layer head hold NaN"):
        load_encoder(NETWORKS + "nested", str(tmp_path / "own.weights.h5")).build()


def test_layers_of_a_nested_network_compute_in_bfloat16_too():
    model = load_backbone(NETWORKS + "nested", precision="bfloat16")._model
    kinds = {type(layer).__name__: layer.compute_dtype for layer in model._flatten_layers()}
    assert kinds["Conv2D"] == kinds["Dense"] == "bfloat16" and kinds["GlobalAveragePooling2D"] == "float32"


@pytest.mark.parametrize("name, named", [
    ("not_pooled", r"gives \(None, 62, 62, 3\), expected one feature per image"),
    ("other_size", r"takes \(None, 96, 96, 3\), expected one input of \(batch, 64, 64, 3\)"),
    ("no_model", "its network is a int, expected a keras.Model"),
    ("no_encoder", "gave a int, expected a records.backbones.encoder.Encoder"),
    ("failing", "the call failed .ValueError: no such file: my.keras, networks.py line"),
    ("missing", "has no missing")])
def test_a_network_that_breaks_the_contract_is_refused_in_words(name, named):
    with pytest.raises(UserError, match=f"--backbone={NETWORKS}{name}: .*{named}"):
        load_backbone(NETWORKS + name)


def test_imagenet_weights_are_for_published_networks():
    with pytest.raises(UserError, match="--backbone_weights=imagenet: .*leave the flag out"):
        load_backbone(NETWORKS + "small", "imagenet")


def test_bfloat16_needs_layers_that_can_be_copied():
    with pytest.raises(UserError, match="--backbone_precision=bfloat16: .*give float32"):
        load_backbone(NETWORKS + "subclassed", precision="bfloat16")
