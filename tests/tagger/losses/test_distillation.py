import numpy as np
import tensorflow as tf

from tagger.losses.distillation import Teachers
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import pack

V, F = 9, 6
TARGETS = np.array([[3, 5, 3, 1], [4, 1, 0, 0]], np.int32)
INPUTS = np.where(TARGETS == 1, 0, TARGETS)[:, :-1]


def network(seed):
    model = MergeModel(V, F, units=16, hidden_size=8)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


FEATURE = tf.constant(np.random.default_rng(3).normal(size=[2, F]), tf.float32)


def test_the_mean_of_probabilities_is_learnt_and_not_of_logits():
    models, packing = [network(0), network(1)], pack(TARGETS > 0)
    words = Teachers(models, 0.5).words(FEATURE, INPUTS, packing)
    each = [Teachers([model], 0.5).words(FEATURE, INPUTS, packing) for model in models]
    np.testing.assert_allclose(words, (each[0] + each[1]) / 2, rtol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(words, 1), np.ones(6), rtol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 0.1


def test_tags_have_probabilities_of_their_own():
    models = [network(0), network(1)]
    tags = Teachers(models, 0.5).tags(FEATURE)
    expected = np.mean([tf.sigmoid(model.tag_logits(model.image(FEATURE))) for model in models], 0)
    np.testing.assert_allclose(tags, expected, rtol=1e-5)


def test_teachers_are_not_trained():
    model = network(0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(Teachers([model], 0.5).words(FEATURE, INPUTS, pack(TARGETS > 0))[:, 3])
    assert tape.gradient(loss, [weight.value for weight in model.weights]) == [None] * len(model.weights)
