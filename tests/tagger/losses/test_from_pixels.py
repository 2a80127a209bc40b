import numpy as np
import pytest
import tensorflow as tf

from records.backbones.registry import load_encoder
from tagger.losses.cross_entropy import CrossEntropy, cross_entropy_value
from tagger.losses.from_pixels import FromPixels, head_loss, validation_loss
from tagger.modeling.captioner import Captioner
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.stateless_dropout import Noise
from tagger.modeling.tag_head import TagHead
from tagger.modeling.tag_outputs import TagOutputs

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


@pytest.fixture(scope="module")
def with_head():
    """Two tags: the entries 3 and 4 count for the first, 6 for the second."""
    of_entries = np.full(9, -1, np.int32)
    of_entries[[3, 4, 6]] = 0, 0, 1
    outputs = TagOutputs(np.array(["dog", "red"], object), np.array([3, 6], np.int32), of_entries)
    head = TagHead(rates=np.array([0.6, 0.2]), feature_size=16)
    head.kernel.assign(np.random.default_rng(1).normal(0, 0.5, (16, 2)))
    merge = MergeModel(9, 16, units=8, hidden_size=8, dropout=0.0, feature_dropout=0.5)
    return outputs, Captioner(merge=merge, first_layer="block", tag_head=head,
                              encoder=load_encoder("tests.records.backbones.networks:named"))


def test_the_head_learns_which_tags_each_caption_has(with_head, batch):
    outputs, model = with_head
    feature = model.features(batch["image"])
    p = tf.sigmoid(model.tag_head.logits(feature)).numpy().astype(np.float64)
    # Both captions of the first photo have the first tag; the second photo's only one has the second.
    expected = -2 * np.log(p[0, 0]) - 2 * np.log(1 - p[0, 1]) - np.log(1 - p[1, 0]) - np.log(p[1, 1])
    assert float(head_loss(model, feature, batch["targets"], outputs, None)) == pytest.approx(expected, rel=1e-5)


def test_the_heads_gradient_reaches_the_backbone_and_its_value_is_not_counted(with_head, batch):
    outputs, model = with_head
    kernel = model.backbone_weights[0].value
    gradients, losses = [], []
    for weight in (0.0, 2.0):
        with tf.GradientTape() as tape:
            loss = FromPixels(CrossEntropy(caption_weight=0.0), weight, outputs)(model, batch, None)
        losses.append(float(loss))
        gradients.append(tape.gradient(loss, kernel, unconnected_gradients=tf.UnconnectedGradients.ZERO).numpy())
    assert losses == [0, 0] and not gradients[0].any() and gradients[1].any()


def test_the_heads_dropout_belongs_to_the_photo(with_head, batch):
    """Whoever computes it: the second photo alone, as another replica would, loses the same numbers of its feature."""
    outputs, model = with_head
    feature, seed = model.features(batch["image"]), tf.constant([0, 7])

    def loss(rows, first):
        return float(head_loss(model, feature[rows], batch["targets"][rows], outputs, Noise(seed, first, 2)))

    whole = loss(slice(0, 2), 0)
    assert whole == pytest.approx(loss(slice(0, 1), 0) + loss(slice(1, 2), 1), rel=1e-5)
    assert whole != pytest.approx(float(head_loss(model, feature, batch["targets"], outputs, None)), rel=1e-5)
