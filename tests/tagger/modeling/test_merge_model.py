import keras
import numpy as np
import pytest
import tensorflow as tf

from tagger.losses.fused_softmax import softmax_loss
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import every_position, pack
from tagger.modeling.stateless_dropout import Noise

V, F, T = 60, 24, 7


def captions(seed: int, rows: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features [B, F], inputs [B, T], targets [B, T + 1]; one row is empty, one as long as can be."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, T + 2, rows)
    lengths[2], lengths[4] = 0, T + 1
    targets, inputs = np.zeros((rows, T + 1), np.int32), np.zeros((rows, T), np.int32)
    for row, length in enumerate(lengths):
        words = rng.integers(2, V, max(length - 1, 0))
        inputs[row, :len(words)] = targets[row, :len(words)] = words
        if length:
            targets[row, length - 1] = 1
    return rng.normal(size=(rows, F)).astype(np.float32), inputs, targets


def gradients(tape: tf.GradientTape, loss: tf.Tensor, model: MergeModel) -> list[np.ndarray]:
    return [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, [w.value for w in model.weights])]


def test_published_size():
    model = MergeModel(vocabulary_size=19222)
    keras_model = model.to_keras(max_length=39)
    assert keras_model.count_params() == 8_483_222
    assert [tuple(i.shape) for i in keras_model.inputs] == [(None, 2048), (None, 39)]
    assert keras_model.outputs[0].shape == (None, 19222)


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_one_pass_equals_expanded_prefixes(recurrence):
    model = MergeModel(V, F, units=32, hidden_size=16, recurrence=recurrence)
    feature, inputs, targets = captions(0)
    rows, places = np.nonzero(targets)
    prefixes = np.where(np.arange(T) < places[:, None], inputs[rows], 0)
    keras_model = model.to_keras(T)
    with tf.GradientTape() as tape:
        probabilities = keras_model([feature[rows], prefixes], training=False)
        expected = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(targets[rows, places], probabilities))
    expected_gradients = gradients(tape, expected, model)

    @tf.function
    def one_pass():
        mask = tf.constant(targets != 0)
        packing = every_position(mask) if recurrence == "loop" else pack(mask)
        flat = tf.gather(tf.reshape(tf.constant(targets), [-1]), packing.index)
        with tf.GradientTape() as tape:
            hidden = model.hidden(model.image(tf.constant(feature)), tf.constant(inputs), packing)
            weights = tf.cast(flat > 0, tf.float32)
            loss = softmax_loss(hidden, *model.output_weights(), flat, weights) / tf.reduce_sum(weights)
        return loss, tape.gradient(loss, [w.value for w in model.weights])

    loss, found = one_pass()
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)
    for one, other in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, rtol=0)
        assert np.abs(other).max() > 1e-4


def test_token_logits_are_in_row_major_order_of_the_mask():
    model = MergeModel(V, F, units=32, hidden_size=16)
    feature, inputs, targets = captions(1)
    rows, places = np.nonzero(targets)
    found = tf.nn.softmax(model.token_logits(feature, inputs, tf.constant(targets != 0)))
    prefixes = np.where(np.arange(T) < places[:, None], inputs[rows], 0)
    np.testing.assert_allclose(found, model.to_keras(T)([feature[rows], prefixes], training=False), atol=1e-6)


def test_decoding_word_by_word_gives_the_logits_of_one_pass():
    model = MergeModel(V, F, units=32, hidden_size=16)
    feature, inputs, targets = captions(2)
    logits, state = model.prefill(feature)
    steps = [logits]
    for t in range(T):
        logits, state = model.decode_step(state, inputs[:, t])
        steps.append(logits)
    mask = targets != 0
    np.testing.assert_allclose(
        np.stack(steps, 1)[mask], model.token_logits(feature, inputs, tf.constant(mask)), atol=1e-5)


def test_no_real_position_at_all():
    model = MergeModel(V, F, units=32, hidden_size=16)
    feature, inputs, targets = captions(3)

    @tf.function
    def step(mask):
        with tf.GradientTape() as tape:
            hidden = model.hidden(model.image(tf.constant(feature)), tf.constant(inputs), pack(mask))
            loss = softmax_loss(hidden, *model.output_weights(), tf.zeros([0], tf.int32))
        return loss, tape.gradient(loss, [w.value for w in model.weights])

    loss, found = step(tf.zeros(targets.shape, tf.bool))
    assert float(loss) == 0
    assert all(np.abs(gradient).max() == 0 for gradient in found)


def test_initial_weights_follow_the_seed():
    first, again, other = (MergeModel(V, F, seed=seed).weights for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert sum(not np.array_equal(a, b) for a, b in zip(first, other, strict=True)) == 6  # biases start at constants


def test_weights_file_loads_into_a_plain_keras_model(tmp_path):
    model = MergeModel(V, F)
    model.to_keras(T).save_weights(tmp_path / "w.weights.h5")
    layers = keras.layers
    feature, prefix = keras.Input((F,)), keras.Input((T,))
    image = layers.Dense(256, "relu")(feature)
    x = layers.Concatenate(axis=1)([layers.Reshape((1, 256))(image), layers.Embedding(V, 256, mask_zero=True)(prefix)])
    x = layers.Add()([layers.Dropout(0.5)(layers.LSTM(256)(x)), image])
    x = layers.Dropout(0.5)(layers.Dense(128, "relu")(x))
    plain = keras.Model([feature, prefix], layers.Dense(V, "softmax")(x))
    plain.load_weights(tmp_path / "w.weights.h5")
    features, inputs, _ = captions(4)
    np.testing.assert_array_equal(
        plain.predict([features, inputs], verbose=0), model.to_keras(T).predict([features, inputs], verbose=0))


def test_dropout_drops_as_asked_and_is_a_function_of_the_seed():
    model = MergeModel(V, F, units=32, hidden_size=16, dropout=0.5)
    feature, inputs, targets = captions(5)
    packing = pack(tf.constant(targets != 0))

    def hidden(seed):
        noise = seed and Noise(tf.constant(seed), 0, len(targets))
        return model.hidden(model.image(feature), inputs, packing, noise).numpy()

    assert np.array_equal(hidden([1, 2]), hidden([1, 2]))
    assert not np.array_equal(hidden([1, 2]), hidden([1, 3]))
    assert (hidden([1, 2]) == 0).mean() > (hidden(None) == 0).mean() + 0.15


@pytest.mark.parametrize("recurrence", ["packed", "loop"])
def test_half_precision_computes_about_the_same(recurrence):
    exact, rough = (MergeModel(V, F, units=32, hidden_size=16, compute_dtype=d, recurrence=recurrence)
                    for d in ("float32", "bfloat16"))
    feature, inputs, targets = captions(6)
    logits = [m.token_logits(feature, inputs, tf.constant(targets != 0)) for m in (exact, rough)]
    assert logits[1].dtype == tf.float32
    np.testing.assert_allclose(logits[0], logits[1], atol=0.05)
    assert not np.array_equal(logits[0], logits[1])


def test_words_are_decoded_in_half_precision_about_the_same():
    exact, rough = MergeModel(V, F, units=32, hidden_size=16), MergeModel(
        V, F, units=32, hidden_size=16, compute_dtype="bfloat16", logits_dtype="bfloat16")
    answers = []
    for model in (exact, rough):
        first, state = model.prefill(captions(6)[0])
        second, _ = model.decode_step(state, tf.fill([len(first)], 5))
        answers.append((first, second))
        assert {part.dtype for part in (first, second, *state)} == {tf.float32}
    for precise, rounded in zip(*answers, strict=True):
        np.testing.assert_allclose(precise, rounded, atol=0.05)
        assert not np.array_equal(precise, rounded)
