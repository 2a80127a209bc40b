"""The baseline must be the recipe: equal to a plain Keras model on left-padded prefixes, mistakes included."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import notebook_recipe
from benchmarks.notebook_recipe import Model, Table, batches, set_order, tables
from benchmarks.quality_data import Images

FEATURES, VOCABULARY, LENGTH = 6, 11, 5


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return Model(FEATURES, VOCABULARY, LENGTH)


@pytest.fixture(scope="module")
def plain(model):
    """The notebook's functional model over the same weights: pads unmasked, prefixes padded on the left."""
    image = keras.Input((FEATURES,))
    words = keras.Input((LENGTH,))
    projected = model.image_dense(image)
    sequence = keras.layers.Concatenate(axis=1)([keras.layers.Reshape((1, 256))(projected), model.embedding(words)])
    state, _, _ = model.lstm(sequence)
    merged = keras.layers.Add()([keras.layers.Dropout(0.5)(state), projected])
    hidden = keras.layers.Dropout(0.5)(model.hidden(merged))
    return keras.Model([image, words], model.output(hidden))


def left_padded(sequence: list[int]) -> list[int]:
    return [0] * (LENGTH - len(sequence)) + sequence


def test_losses_equal_the_plain_models_on_every_prefix_counted_as_often_as_the_notebook_does(model, plain):
    feature = np.random.default_rng(0).normal(size=(3, FEATURES)).astype(np.float32)
    # Image 0 has two rows in the batch, so each of its captions counts twice; image 2 has one row.
    table = Table(np.array([0, 0, 1, 2]), [[3, 4, 1], [5, 1], [2, 1], [6, 7, 8, 9, 1]])
    [batch] = batches(feature, table, np.array([3, 0, 1]), 3)
    rows = [(0, s) for s in ([3, 4, 1], [5, 1]) * 2] + [(2, [6, 7, 8, 9, 1])]
    expanded = [(image, s[:n], s[n]) for image, s in rows for n in range(1, len(s))]
    logits = plain.predict([feature[[image for image, *_ in expanded]],
                            np.array([left_padded(prefix) for _, prefix, _ in expanded])], verbose=0)
    expected = keras.losses.sparse_categorical_crossentropy(
        np.array([target for *_, target in expanded]), logits, from_logits=True).numpy()
    assert float(tf.reduce_sum(batch[-1])) == len(expanded)
    assert float(model.loss_sum(*batch)) == pytest.approx(expected.sum(), rel=1e-5)


def test_generation_is_the_plain_models_greedy_search_from_the_empty_prefix(model, plain):
    feature = np.random.default_rng(1).normal(size=(4, FEATURES)).astype(np.float32) * 3
    names = ["", "endseq", *"abcdefghi"]
    for row, generated in zip(feature, model.generate(feature, names), strict=True):
        said: list[int] = []
        for _ in range(LENGTH):
            following = int(plain.predict([row[None], np.array([left_padded(said)])], verbose=0).argmax())
            if following in (0, 1):
                break
            said.append(following)
        assert generated == tuple(names[i] for i in said)


def test_what_does_not_fill_a_batch_is_dropped():
    table = Table(np.arange(5), [[2, 1]] * 5)
    feature = np.zeros((5, FEATURES), np.float32)
    assert sum(len(batch[0]) for batch in batches(feature, table, np.arange(5), 2)) == 4


def test_tags_come_in_an_order_that_is_the_seeds():
    tags = ["man", "dog", "grass", "ball", "red", "runs"]
    assert set_order(tags, 0) == ["runs", "grass", "red", "ball", "dog", "man"]  # in every process
    assert len({tuple(set_order(tags, seed)) for seed in range(5)}) > 1
    assert sorted(set_order(tags, 3)) == sorted(tags)


def test_training_runs_to_its_end_on_a_few_images():
    features = np.eye(4, dtype=np.float32)
    tags = [(("dog", "runs", "a"), ("dog",)), (("cat", "sits"), ("cat",)), (("man",), ()), (("car", "red"), ("car",))]
    images = Images(["a", "b", "c", "d"], features, [b""] * 4, [("", "")] * 4, tags)
    [table], names = tables([images], 0)
    assert len(table.sequences) == 8 and "a" not in names
    generated, loss = notebook_recipe.train_and_predict(
        (features, images), (features, images), (features, images), seed=0, epochs=3, batch_size=4)
    assert len(generated) == 4 and np.isfinite(loss)
