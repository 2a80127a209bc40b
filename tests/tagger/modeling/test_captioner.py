import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.backbones.registry import load_encoder
from tagger.modeling.captioner import ALL, Captioner
from tagger.modeling.merge_model import MergeModel

NETWORK = "tests.records.backbones.networks:named"


def captioner(first_layer, network=NETWORK, **arguments):
    return Captioner(merge=MergeModel(9, 16, units=8, hidden_size=8), encoder=load_encoder(network),
                     first_layer=first_layer, **arguments)


@pytest.mark.parametrize(("first_layer", "learning"), [(ALL, 4), ("stem", 4), ("block", 2)])
def test_what_learns_from_a_layer_on_without_normalisations(first_layer, learning):
    model = captioner(first_layer)
    backbone = model.weights[len(model.merge.weights):]
    assert len(backbone) == learning and [weight.path for weight in backbone] == [
        f"backbone/{number:03}_{name}" for number, name in enumerate(["kernel", "bias"] * (learning // 2))]


def test_a_layer_that_is_not_there():
    with pytest.raises(UserError, match="--train_backbone=conv9: .*named has no layer whose name begins so; .*stem"):
        captioner("conv9")


def test_features_are_those_of_the_frozen_network():
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    expected = load_encoder(NETWORK).for_inference()(tf.cast(images, tf.float32))
    np.testing.assert_allclose(captioner("block").features(images), expected, rtol=1e-3, atol=1e-4)
    half = captioner("block", compute_dtype="bfloat16")
    assert half.features(images).dtype == tf.float32 and {w.dtype for w in half.weights} == {"float32"}
    np.testing.assert_allclose(half.features(images), expected, rtol=0.1, atol=0.05)


def test_views_of_another_size():
    assert captioner("block").takes(64)
    assert not captioner("block", network="tests.records.backbones.networks:flattened").takes(64)
