import keras
import numpy as np
import pytest
import tensorflow as tf

from records.text.vocabulary import END, PAD
from tagger.losses.cross_entropy import CrossEntropy
from tagger.losses.self_critical import SelfCritical
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.stateless_dropout import Noise
from tagger.modeling.tag_outputs import TagOutputs

V, FEATURE, SAMPLES, LONGEST = 8, 6, 4, 5
TAGS = TagOutputs(np.array([3, 5, 6]), np.array([3, 5, 6], np.int32),
                  np.array([-1, -1, -1, 0, -1, 1, 2, -1], np.int32))


def batch(rows: int = 3) -> dict[str, tf.Tensor]:
    """Images of which the last only fills the batch."""
    feature = np.random.default_rng(0).normal(size=[rows, FEATURE]).astype(np.float32)
    targets = np.tile(np.array([[4, 5, END]], np.int32), [rows, 1])
    targets[-1] = 0
    return {"feature": tf.constant(feature), "inputs": tf.constant(np.where(targets == END, 0, targets)[:, :-1]),
            "targets": tf.constant(targets), "references": tf.constant(targets[:, np.newaxis])}


def noise(step: int = 2, first_row: int = 0) -> Noise:
    return Noise(tf.constant([1, step]), first_row, 4)


def model(**arguments) -> MergeModel:
    return MergeModel(V, FEATURE, units=16, hidden_size=8, dropout=0.0, **arguments)


def objective(reward, weight: float = 0.0) -> SelfCritical:
    return SelfCritical(reward, SAMPLES, LONGEST, CrossEntropy(0.0, weight / 2, TAGS, weight))


def fours(sampled: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
    """A reward that counts the word 4."""
    return tf.reduce_sum(tf.cast(sampled == 4, tf.float32), -1)


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_value_and_gradient_are_those_of_the_policy_gradient(recurrence):
    network, rows = model(recurrence=recurrence), batch()
    seen = []

    def reward(sampled, references):
        seen.append(sampled)
        return fours(sampled, references)

    with tf.GradientTape() as tape:
        value = objective(reward)(network, rows, noise())
    weights = [weight.value for weight in network.weights]
    gradients = tape.gradient(value, weights)
    sampled = seen[0].numpy()
    rewards = (sampled == 4).sum(-1).astype(np.float32)
    rewards[-1] = 0
    assert rewards.std() > 0
    assert float(value) == pytest.approx(-rewards.sum() / SAMPLES, rel=1e-5)
    baseline = (rewards.sum(1, keepdims=True) - rewards) / (SAMPLES - 1)
    with tf.GradientTape() as tape:
        expected = 0.0
        for i, j in np.ndindex(rewards.shape):
            words = sampled[i, j][sampled[i, j] != PAD]
            log_p = -tf.nn.sparse_softmax_cross_entropy_with_logits(words, network.token_logits(
                rows["feature"][i:i + 1], tf.constant(words[np.newaxis, :-1]), tf.ones([1, len(words)], tf.bool)))
            expected -= (rewards - baseline)[i, j] * tf.reduce_sum(log_p) / SAMPLES
    for gradient, other in zip(gradients, tape.gradient(expected, weights), strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(gradient), tf.convert_to_tensor(other), atol=1e-5)


@pytest.mark.parametrize("feature_dropout", [0.0, 0.5])
def test_samples_depend_on_the_seed_and_the_place_in_the_batch_only(feature_dropout):
    network, rows, seen = model(feature_dropout=feature_dropout), batch(4), []

    def reward(sampled, references):
        seen.append(sampled.numpy())
        return fours(sampled, references)

    critical = objective(reward)
    for part in (slice(0, 4), slice(0, 2), slice(2, 4)):
        critical(network, {name: value[part] for name, value in rows.items()}, noise(first_row=part.start))
    critical(network, rows, noise(3))
    whole, first, second, other = seen
    assert np.array_equal(whole, np.concatenate([first, second]))
    assert not np.array_equal(whole, other)


def test_samples_are_of_features_that_are_dropped_as_in_the_first_stage():
    rows, seen = batch(64), []

    def reward(sampled, references):
        seen.append(sampled.numpy())
        return fours(sampled, references)

    for feature_dropout in (0.0, 0.5):
        objective(reward)(model(feature_dropout=feature_dropout), rows, noise())
    assert not np.array_equal(*seen)


def test_the_reward_rises():
    network, rows = model(), batch()
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(network.weights)

    @tf.function
    def step(number):
        with tf.GradientTape() as tape:
            loss = objective(fours)(network, rows, Noise(tf.stack([0, number]), 0, 4))
        gradients = tape.gradient(loss, [weight.value for weight in network.weights])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients])
        return -loss / 2

    values = [float(step(tf.constant(number))) for number in range(250)]
    assert np.mean(values[:10]) < 1.5 and np.mean(values[-10:]) > 3.5


def test_supervision_adds_its_gradient_but_not_its_value():
    network, rows = model(), batch()
    kernel = network.output_dense.kernel.value
    found = []
    for critical in (objective(fours), objective(fours, 0.5)):
        with tf.GradientTape() as tape:
            value = critical(network, rows, noise())
        found.append((float(value), tape.gradient(value, kernel).numpy()))
    with tf.GradientTape() as tape:
        supervised = 0.5 * CrossEntropy(0.0, 0.5, TAGS)(network, rows, noise())
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-6)
    np.testing.assert_allclose(found[1][1] - found[0][1], tape.gradient(supervised, kernel), atol=1e-6)
    assert float(objective(fours).units(rows)) == 2
