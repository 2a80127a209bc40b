"""The signatures of features; those of images are tested on a loaded export, in test_exported_answers.py."""

import numpy as np
import pytest
import tensorflow as tf

from records.backbones.registry import load_encoder
from records.text.vocabulary import Vocabulary
from tagger.decoding.decoder import Decoder
from tagger.modeling.merge_model import MergeModel
from tagger.saved_model.signatures import CHUNK, ServingModel

VOCABULARY = Vocabulary.build({f"w{i}": 20 - i for i in range(20)}, {f"w{i}": 1 for i in range(9)})


@pytest.fixture(scope="module")
def signatures():
    backbone = load_encoder("tests.records.backbones.networks:small").for_inference()
    merge = MergeModel(VOCABULARY.size, backbone.feature_size, units=8, hidden_size=8)
    random = np.random.default_rng(0)
    for weight in merge.weights:
        weight.assign(random.normal(scale=0.5, size=weight.shape))
    model = ServingModel(backbone, Decoder([merge], VOCABULARY, max_length=4, tags=3, tag_samples=0))
    return model.signatures(2, 0.7, 0.0)


def features(count):
    return tf.constant(np.random.default_rng(1).normal(size=[count, 16]), tf.float32)


@pytest.mark.parametrize("count", [0, 1, CHUNK + 1])
def test_any_number_of_rows(signatures, count):
    answer = signatures["features"](features(count))
    assert answer["caption"].shape == [count] and answer["tags"].shape == answer["tag_scores"].shape == [count, 3]
    if count > 1:
        np.testing.assert_array_equal(answer["caption"][:1], signatures["features"](features(count)[:1])["caption"])


def test_options_have_defaults_and_change_the_answer(signatures):
    plain = signatures["features"](features(3))
    same = signatures["features_with_options"](features(3))
    np.testing.assert_array_equal(plain["caption"], same["caption"])
    assert same["caption_score"].shape == [3]
    short = signatures["features_with_options"](features(3), max_length=tf.constant(1))
    assert all(len(caption.split()) <= 1 for caption in short["caption"].numpy())
    beyond = signatures["features_with_options"](features(3), max_length=tf.constant(99))  # as the longest, which is 4
    np.testing.assert_array_equal(plain["caption"], beyond["caption"])
