import numpy as np
import pytest
import tensorflow as tf

from tagger.modeling.merge_model import MergeModel
from tagger.training.mixed_precision import LossScale
from tagger.training.optimizer import FusedAdam
from tagger.training.train_state import TrainState


def make(**arguments) -> TrainState:
    model = MergeModel(9, 6, units=8, hidden_size=4)
    optimizer = FusedAdam(0.1)
    optimizer.build(model.weights)
    return TrainState(model=model, optimizer=optimizer, **arguments)


def apply(state, value, units=1.0, update=True):
    gradients = [tf.fill(weight.shape, value) for weight in state.model.weights]
    state.apply(gradients, tf.constant(units), tf.constant(update))


def test_names_of_a_checkpoint():
    paths = [weight.path for weight in make().model.weights]
    names = list(make(ema=0.9, accumulate=True, loss_scale=LossScale()).variables_by_name())
    assert names[:10] == [f"model/{path}" for path in paths] and names[0] == "model/image_dense/kernel"
    for kind in ("average", "gradient"):
        assert [f"{kind}/{path}" for path in paths] == [name for name in names if name.startswith(f"{kind}/")][:10]
    assert {"optimizer/adam/iteration", "optimizer/adam/learning_rate", "epoch/loss", "epoch/bad_step",
            "gradient/units", "loss_scale/scale", "loss_scale/calm"} <= set(names)
    assert {name.split("/")[0] for name in make().variables_by_name()} == {"model", "optimizer", "epoch"}


def test_accumulated_gradients_are_averaged_over_units():
    once, twice = make(), make(accumulate=True)
    before = once.model.output_dense.kernel.numpy()
    apply(once, 0.25)
    apply(twice, 1.0, units=1.0, update=False)
    assert np.array_equal(twice.model.output_dense.kernel.numpy(), before)
    apply(twice, 0.0, units=3.0, update=True)
    for one, other in zip(once.model.weights, twice.model.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-7)
    assert float(twice.variables_by_name()["gradient/units"]) == 0.0
    assert float(once.optimizer.iterations) == float(twice.optimizer.iterations) == 1


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_averages_take_the_place_of_the_weights_and_leave_it(ema):
    state = make(ema=ema)
    start = state.model.output_dense.bias.numpy()
    apply(state, 1.0)
    current = state.model.output_dense.bias.numpy()
    assert np.abs(current - start).max() > 0.05
    with pytest.raises(ZeroDivisionError), state.averaged_weights():
        # Of the first update, (1 + 1) / (10 + 1) of the start is left.
        expected = start * 2 / 11 + current * 9 / 11 if ema else current
        np.testing.assert_allclose(state.model.output_dense.bias.numpy(), expected, rtol=1e-5)
        raise ZeroDivisionError
    assert np.array_equal(state.model.output_dense.bias.numpy(), current)


@pytest.mark.parametrize("name", ["model/lstm/lstm_cell/kernel", "optimizer/adam/output_dense_kernel_velocity"])
def test_is_finite(name):
    state = make()
    assert state.is_finite()
    variable = state.variables_by_name()[name]
    value = variable.numpy()
    value[3, 2] = np.inf
    variable.assign(value)
    assert not state.is_finite()
