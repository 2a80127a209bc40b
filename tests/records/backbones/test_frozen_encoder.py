import numpy as np
import pytest
import tensorflow as tf

from records.backbones.registry import load_encoder

IMAGES = tf.constant(np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)), tf.float32)


@pytest.fixture(scope="module")
def frozen():
    encoder = load_encoder("tests.records.backbones.networks:small")
    model = encoder.build()
    return {views: encoder.for_inference(model, views=views) for views in ("one", "flip", "crops")}


def test_features_are_the_mean_over_the_views(frozen):
    one = frozen["one"]
    crop = tf.image.resize(IMAGES[:, 10:86, 10:86], [96, 96])
    views = [IMAGES, IMAGES[:, :, ::-1], crop, crop[:, :, ::-1]]
    for name, count in (("one", 1), ("flip", 2), ("crops", 4)):
        expected = np.mean([one(view) for view in views[:count]], 0)
        np.testing.assert_allclose(frozen[name](IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(frozen["one"](IMAGES) - frozen["crops"](IMAGES)).max() > 1e-4


def test_its_identity_says_the_views(frozen):
    infos = {name: encoder.info for name, encoder in frozen.items()}
    assert infos["one"].preprocessing == "0..1"
    assert infos["flip"].preprocessing == "0..1; mean over views: flip"
    assert len({info.weights_sha256 for info in infos.values()}) == 1
    assert (infos["one"].feature_size, infos["one"].image_size) == (16, 96)


def test_for_one_batch_size_the_weights_are_constants(frozen):
    compute = frozen["one"].frozen(2)
    np.testing.assert_allclose(compute(IMAGES), frozen["one"](IMAGES), rtol=1e-4, atol=1e-5)
    assert not compute.get_concrete_function().variables and frozen["one"].traced.get_concrete_function().variables
    assert len(frozen["one"].variables) == len(frozen["one"].keras_variables)
