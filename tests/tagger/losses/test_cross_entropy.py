import keras
import numpy as np
import pytest
import tensorflow as tf

from tagger.losses.cross_entropy import CrossEntropy, cross_entropy_value, tag_loss
from tagger.losses.distillation import Teachers
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.stateless_dropout import Noise
from tagger.modeling.tag_outputs import TagOutputs

V, FEATURE = 9, 6
IS_TAG = np.array([0, 0, 0, 1, 0, 1, 1, 0, 1], bool)
TAGS = TagOutputs(np.arange(V)[IS_TAG], np.flatnonzero(IS_TAG).astype(np.int32),
                  np.where(IS_TAG, np.cumsum(IS_TAG) - 1, -1).astype(np.int32))
TARGETS = np.array([[3, 5, 3, 1], [4, 1, 0, 0], [0, 0, 0, 0], [8, 6, 1, 0]], np.int32)  # the third row fills the batch


def batch() -> dict[str, tf.Tensor]:
    inputs = np.where(TARGETS == 1, 0, TARGETS)[:, :-1]
    feature = np.random.default_rng(0).normal(size=[len(TARGETS), FEATURE]).astype(np.float32)
    return {"feature": tf.constant(feature), "inputs": tf.constant(inputs), "targets": tf.constant(TARGETS)}


def noise(step: int = 7, first_row: int = 0) -> Noise:
    return Noise(tf.constant([3, step]), first_row, len(TARGETS))


def model(**arguments) -> MergeModel:
    return MergeModel(V, FEATURE, units=16, hidden_size=8, **arguments)


def test_tag_loss_is_keras_binary_cross_entropy_over_the_tags_of_real_rows():
    logits = np.random.default_rng(1).normal(size=[len(TARGETS), V]).astype(np.float32)
    has = np.array([[0, 0, 0, 1, 0, 1, 0, 0, 0], [0] * V, [0] * V, [0, 0, 0, 0, 0, 0, 1, 0, 1]], np.float32)
    rows = [0, 1, 3]
    expected = sum(float(keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum")(
        has[rows][:, [tag]], logits[rows][:, [tag]])) for tag in np.flatnonzero(IS_TAG))
    assert float(tag_loss(tf.constant(logits), tf.constant(TARGETS), TAGS)) == pytest.approx(expected, rel=1e-5)


def test_of_a_tag_with_several_forms_one_logit_answers_for_all():
    """Words 3 and 5 are forms of the first tag, which 5 speaks for; 6 is the second."""
    tags = TagOutputs(np.array(["run", "dog"], object), np.array([5, 6], np.int32),
                      np.array([-1, -1, -1, 0, -1, 0, 1, -1, -1], np.int32))
    logits = np.random.default_rng(1).normal(size=[len(TARGETS), V]).astype(np.float32)
    has = np.array([[1, 0], [0, 0], [0, 1]], np.float32)
    expected = float(keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum")(
        has.reshape(-1, 1), logits[[0, 1, 3]][:, [5, 6]].reshape(-1, 1)))
    assert float(tag_loss(tf.constant(logits), tf.constant(TARGETS), tags)) == pytest.approx(expected, rel=1e-5)


def test_tags_add_their_weighted_gradient_but_not_their_value():
    network, rows = model(dropout=0.0), batch()
    kernel = network.output_dense.kernel.value
    with tf.GradientTape(persistent=True) as tape:
        plain = CrossEntropy()(network, rows, None)
        both = CrossEntropy(0.0, 0.5, TAGS)(network, rows, None)
        tags = tag_loss(network.tag_logits(network.image(rows["feature"])), rows["targets"], TAGS)
    assert float(plain) == pytest.approx(float(cross_entropy_value(network, rows)), rel=1e-5)
    assert float(both) == pytest.approx(float(plain), rel=1e-6)
    expected = tape.gradient(plain, kernel) + 0.5 * tape.gradient(tags, kernel)
    np.testing.assert_allclose(tape.gradient(both, kernel), expected, atol=1e-5)
    assert float(CrossEntropy().units(rows)) == 9


def test_tags_are_learnt_without_a_weight_of_their_own():
    network, rows = model(dropout=0.0), batch()
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(network.weights)
    objective = CrossEntropy(0.0, 1.0, TAGS)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = objective(network, rows, None)
        gradients = tape.gradient(loss, [weight.value for weight in network.weights])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients])

    for _ in range(150):
        step()
    p = tf.sigmoid(network.tag_logits(network.image(rows["feature"]))).numpy()
    assert p[0, [3, 5]].min() > 0.8 and p[0, [6, 8]].max() < 0.2
    assert p[3, [6, 8]].min() > 0.8 and p[3, [3, 5]].max() < 0.2


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_a_student_of_teachers_alone_becomes_their_mean(recurrence):
    rows = batch()
    teachers = [model(dropout=0.5, seed=seed, recurrence=recurrence) for seed in (1, 2)]
    for teacher in teachers:
        teacher.scale_output(20.0)  # fresh weights have next to nothing to teach
    student = model(dropout=0.0, seed=3, recurrence=recurrence)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(student.weights)
    objective = CrossEntropy(0.0, 1.0, TAGS, teachers=Teachers(teachers, 1.0))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = objective(student, rows, noise())
        gradients = tape.gradient(loss, [weight.value for weight in student.weights])
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients])

    def words(network):
        return tf.nn.softmax(network.token_logits(rows["feature"], rows["inputs"], rows["targets"] != 0))

    def tags(network):
        return tf.sigmoid(network.tag_logits(network.image(rows["feature"]))).numpy()[[0, 1, 3]][:, IS_TAG]

    before = [[weight.numpy() for weight in teacher.weights] for teacher in teachers]
    wanted = [sum(map(words, teachers)) / 2, sum(map(tags, teachers)) / 2]
    far = [np.abs(wanted[0] - words(student)).max(), np.abs(wanted[1] - tags(student)).max()]
    for _ in range(600):
        step()
    assert np.abs(wanted[0] - words(student)).max() < far[0] / 10
    assert np.abs(wanted[1] - tags(student)).max() < far[1] / 10
    for teacher, weights in zip(teachers, before, strict=True):
        assert all(np.array_equal(one.numpy(), other) for one, other in zip(teacher.weights, weights, strict=True))


def test_both_recurrences_drop_the_same():
    losses = [float(CrossEntropy()(model(recurrence=recurrence, feature_dropout=0.5, embedding_dropout=0.5), batch(),
                                   noise())) for recurrence in ("packed", "loop")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def share(rows: dict[str, tf.Tensor], part: slice) -> dict[str, tf.Tensor]:
    """A replica's rows as a host that streams has them: as wide as its longest caption, with a row of zeros more."""
    part = {name: value[part] for name, value in rows.items()}
    width = int(tf.reduce_max(tf.math.count_nonzero(part["targets"], axis=1)))
    part |= {"inputs": part["inputs"][:, :width - 1], "targets": part["targets"][:, :width]}
    return {name: tf.concat([value, tf.zeros_like(value[:1])], axis=0) for name, value in part.items()}


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_dropout_knows_no_padding(recurrence):
    network = model(dropout=0.5, embedding_dropout=0.5, recurrence=recurrence)
    rows, objective = batch(), CrossEntropy()
    whole = float(objective(network, rows, noise()))
    parts = [float(objective(network, share(rows, part), noise(first_row=part.start)))
             for part in (slice(0, 1), slice(1, 3), slice(3, 4))]
    assert whole == pytest.approx(sum(parts), rel=1e-5)


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_input_dropout_is_a_function_of_the_seed_and_the_place_in_the_batch(recurrence):
    network = model(dropout=0.0, feature_dropout=0.5, embedding_dropout=0.5, recurrence=recurrence)
    rows, objective = batch(), CrossEntropy(0.0, 1.0, TAGS)
    whole = float(objective(network, rows, noise()))
    halves = sum(float(objective(network, share(rows, part), noise(first_row=part.start)))
                 for part in (slice(0, 3), slice(3, 4)))
    assert whole == pytest.approx(halves, rel=1e-5)
    assert whole == float(objective(network, rows, noise()))
    assert whole != pytest.approx(float(objective(network, rows, noise(8))), rel=1e-4)
    assert whole != pytest.approx(float(objective(network, rows, None)), rel=1e-4)


def test_feature_dropout_drops_its_share_and_keeps_the_mean():
    network = model(feature_dropout=0.25)
    network.image_dense.kernel.assign(np.ones([FEATURE, 16], np.float32))  # so that an image is the sum of its feature
    images = network.image(tf.ones([4000, FEATURE]), Noise(tf.constant([0, 0]), 0, 4000))[:, 0].numpy()
    assert images.mean() == pytest.approx(FEATURE, rel=0.02)
    kept = images * 0.75
    np.testing.assert_allclose(kept, kept.round(), atol=1e-4)
    assert (kept.round() == FEATURE).mean() == pytest.approx(0.75 ** FEATURE, abs=0.03)


def test_sharper_captions_leave_tags_as_they_are():
    network, rows = model(dropout=0.0), batch()
    sharp = model(dropout=0.0, inverse_temperature=2.0)
    sharp.scale_output(2.0)
    for one, other in zip(network.prefill(rows["feature"])[0], sharp.prefill(rows["feature"])[0], strict=True):
        np.testing.assert_allclose(2 * one, other, rtol=1e-5)
    tags = [one.tag_logits(one.image(rows["feature"])) for one in (network, sharp)]
    np.testing.assert_allclose(*tags, rtol=1e-5)
