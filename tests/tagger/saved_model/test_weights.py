import keras
import numpy as np
import pytest
import tensorflow as tf

from tagger.saved_model.weights import WeightsStore


@pytest.fixture
def variables():
    random = np.random.default_rng(0)
    return [keras.Variable(random.normal(size=shape).astype(np.float32)) for shape in ([40, 40], [40])] + [
        keras.Variable(np.full([40, 40], 1e6, np.float32))]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_stored_values_take_the_place_of_the_variables(variables, precision):
    expected = [variable.numpy().copy() for variable in variables]
    store = WeightsStore(variables, precision)
    for variable in variables:
        variable.assign(variable * 0)
    with store.in_place():
        read = [np.asarray(variable.value) for variable in variables]
    if precision == "float16":  # large ones alone, and those within its range
        assert len(store.halves) == 1
        expected[0] = expected[0].astype(np.float16).astype(np.float32)
    for value, other in zip(read, expected, strict=True):
        np.testing.assert_array_equal(value, other)
    assert not np.any(variables[0])
    store.write_back()
    np.testing.assert_array_equal(variables[0], expected[0])


def test_a_saved_model_holds_halves_and_computes_in_float32(variables, tmp_path):
    store = WeightsStore(variables[:1], "float16")

    @tf.function(input_signature=[])
    def total():
        with store.in_place():
            return {"sum": tf.reduce_sum(variables[0].value)}

    expected = float(total()["sum"])
    module = tf.Module()
    module.store = store
    tf.saved_model.save(module, str(tmp_path), signatures=total)
    variables[0].assign(variables[0] * 0)
    loaded = tf.saved_model.load(str(tmp_path))  # holds the weights that the signature uses
    assert float(loaded.signatures["serving_default"]()["sum"]) == pytest.approx(expected, rel=1e-5)
    (data,) = (tmp_path / "variables").glob("*.data-*")
    assert data.stat().st_size < 40 * 40 * 3
