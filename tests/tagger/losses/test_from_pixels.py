import numpy as np
import pytest
import tensorflow as tf

from records.backbones.registry import load_encoder
from tagger.losses.cross_entropy import CrossEntropy, cross_entropy_value
from tagger.losses.from_pixels import FromPixels, validation_loss
from tagger.modeling.captioner import Captioner
from tagger.modeling.merge_model import MergeModel

TARGETS = np.array([[[3, 5, 1], [4, 1, 0]], [[6, 1, 0], [0, 0, 0]]], np.int32)  # the second photo has one caption
INPUTS = np.where(TARGETS == 1, 0, TARGETS)[:, :, :-1]


@pytest.fixture(scope="module")
def model():
    return Captioner(merge=MergeModel(9, 16, units=8, hidden_size=8, dropout=0.0), first_layer="block",
                     encoder=load_encoder("tests.records.backbones.networks:named"))


@pytest.fixture(scope="module")
def batch():
    images = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    return {"image": tf.constant(images), "inputs": tf.constant(INPUTS), "targets": tf.constant(TARGETS)}


def test_it_is_the_loss_of_every_caption_with_its_photos_feature(model, batch):
    feature = tf.gather(model.features(batch["image"]), [0, 0, 1])
    captions = {"feature": feature, "inputs": tf.constant(INPUTS.reshape(4, 2)[:3]),
                "targets": tf.constant(TARGETS.reshape(4, 3)[:3])}
    expected = float(cross_entropy_value(model.merge, captions))
    objective = FromPixels(CrossEntropy())
    assert float(objective(model, batch, None)) == pytest.approx(expected, rel=1e-4)
    assert float(validation_loss(model, batch)) == pytest.approx(expected, rel=1e-4)
    assert float(objective.units(batch)) == 7


def test_its_gradient_reaches_the_layers_that_learn(model, batch):
    kernel = model.weights[len(model.merge.weights)].value
    with tf.GradientTape() as tape:
        loss = FromPixels(CrossEntropy())(model, batch, None)
    assert np.abs(tape.gradient(loss, kernel)).max() > 0
