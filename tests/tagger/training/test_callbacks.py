import sys

import keras
import numpy as np
import pytest

from flags.errors import UserError
from flags.train import Train
from tagger.modeling.merge_model import MergeModel
from tagger.runs.run_dir import load_weights, save_weights
from tagger.training.best_weights import BestWeights
from tagger.training.callback_state import get_state, set_state
from tagger.training.callbacks import as_list, check_names, check_same, make_callbacks
from tagger.training.optimizer import FusedAdam

LOSSES = [3.0, 2.5, 2.6, 2.4, 2.41, 2.42, 2.45, 2.43, 2.5, 2.6]


def drive(callbacks, model, losses, first=0) -> tuple[float, int]:
    """Epoch ends with these validation losses; the learning rate and the number of epochs until a stop."""
    for epoch, loss in enumerate(losses, first):
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
        if model.stop_training:
            return float(model.optimizer.learning_rate), epoch + 1
    return float(model.optimizer.learning_rate), first + len(losses)


def start(tmp_path, **flags):
    model = MergeModel(20, 8, units=16, hidden_size=16)
    path = tmp_path / "best.weights.h5"
    callbacks = make_callbacks(
        config=Train(records_dir="", run_dir=str(tmp_path), **flags), monitor="val_loss",
        save=lambda: save_weights(model, 5, path), load=lambda: load_weights(model, path))
    keras_model = model.to_keras(5)
    keras_model.optimizer, keras_model.stop_training = FusedAdam(0.001), False
    keras_model.optimizer.build(keras_model.trainable_variables)
    for callback in callbacks:
        callback.set_model(keras_model)
        callback.on_train_begin()
    return model, keras_model, callbacks


def test_published_callbacks(tmp_path):
    model, keras_model, callbacks = start(tmp_path)
    assert drive(callbacks, keras_model, LOSSES) == (pytest.approx(0.0002), 9)
    assert (callbacks[0].best, callbacks[0].best_epoch) == (2.4, 3)


def test_patience_zero_never_stops(tmp_path):
    model, keras_model, callbacks = start(tmp_path, patience=0, plateau_patience=0)
    assert drive(callbacks, keras_model, LOSSES) == (pytest.approx(0.001), 10)


@pytest.mark.parametrize("cut", range(1, 9))
def test_state_goes_on_after_a_restart(tmp_path, cut):
    _, keras_model, callbacks = start(tmp_path)
    rate, _ = drive(callbacks, keras_model, LOSSES[:cut])
    state = get_state(callbacks)
    _, keras_model, callbacks = start(tmp_path)
    keras_model.optimizer.learning_rate = rate
    set_state(callbacks, state)
    assert drive(callbacks, keras_model, LOSSES[cut:], cut) == (pytest.approx(0.0002), 9)


def test_a_restart_keeps_the_least_gain_that_a_plateau_counts(tmp_path):
    losses = [3.0, 2.99998, 2.99996, 2.99994]  # gains too small to count
    _, keras_model, callbacks = start(tmp_path)
    drive(callbacks, keras_model, losses[:2])
    rate, _ = drive(callbacks, keras_model, losses[2:], 2)
    _, again, callbacks = start(tmp_path)
    drive(callbacks, again, losses[:2])
    state = get_state(callbacks)
    _, again, callbacks = start(tmp_path)
    set_state(callbacks, state)
    assert drive(callbacks, again, losses[2:], 2)[0] == rate == pytest.approx(0.0002)


def test_best_weights_come_back_at_the_end(tmp_path):
    model, keras_model, callbacks = start(tmp_path)
    bias = model.output_dense.bias
    for epoch, loss in enumerate([3.0, 2.0, 2.5]):
        bias.assign(np.full(20, epoch, np.float32))
        callbacks[0].on_epoch_end(epoch, {"val_loss": loss})
    callbacks[0].on_train_end()
    assert set(bias.numpy()) == {1}


class Mine(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.epochs_seen, self.notes = 0, ["not", "kept"]


def without_file(name: str) -> list[keras.callbacks.Callback]:
    """Those of a host that writes nothing, with one of --callbacks."""
    config = Train(records_dir="", run_dir="", callbacks=(name,))
    return make_callbacks(config=config, monitor="val_loss", save=None, load=None)


def test_own_callbacks():
    callbacks = without_file(f"{__name__}:Mine")
    assert [type(c) for c in callbacks] == [
        BestWeights, keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau, sys.modules[__name__].Mine]
    callbacks[-1].epochs_seen = 4
    assert get_state(callbacks)[-1]["epochs_seen"] == 4
    assert "notes" not in get_state(callbacks)[-1]


class Other(Mine):
    pass


class Costly(Mine):
    def __init__(self, price):
        super().__init__()


def nothing():
    pass


def test_from_python_one_will_do_and_what_is_no_callback_is_named():
    mine = Mine()
    assert as_list(mine) == as_list([mine]) == as_list((mine,)) == [mine] and as_list(()) == []
    with pytest.raises(UserError, match=r"callbacks=\[Mine\]: is a class; make an object of it, callbacks=\[Mine"):
        as_list(Mine)
    with pytest.raises(UserError, match=r"callbacks=: 3 is no keras.callbacks.Callback; expected a list of such"):
        as_list([mine, 3])


@pytest.mark.parametrize(("name", "message"), [
    ("nothing", "called, it gives None; expected the class of a keras.callbacks.Callback, or a function that returns"),
    ("Costly", "is called without arguments, which it cannot be .*'price'.; give its arguments defaults")])
def test_a_callback_of_the_command_line_that_cannot_be_made_is_named(name, message):
    with pytest.raises(UserError, match=f"^--callbacks={__name__}:{name}: {message}"):
        without_file(f"{__name__}:{name}")


def test_callbacks_that_are_missing_or_others_when_a_run_goes_on_are_named():
    config = Train(records_dir="", run_dir="runs/a", patience=0, plateau_patience=0)
    published = make_callbacks(config=config, monitor="val_loss", save=None, load=None)
    names = ["BestWeights", "Mine", "Other"]
    check_same(3, names, [*published, Mine(), Other()], config)
    for now, listed in (([Other(), Mine()], r"are 2 callbacks \(Other, Mine\)"), ([], "are none"),
                        ([Other()], r"is 1 callback \(Other\)")):
        said = r"--run_dir=runs/a: its run was trained with 2 callbacks \(Mine, Other\) of your own, now there "
        with pytest.raises(UserError, match=f"{said}{listed}; pass the same ones again in the same order"):
            check_same(3, names, [*published, *now], config)


def test_of_a_checkpoint_that_names_no_classes_callbacks_are_counted():
    config = Train(records_dir="", run_dir="runs/a", patience=0, plateau_patience=0)
    published = make_callbacks(config=config, monitor="val_loss", save=None, load=None)
    check_same(2, (), [*published, Other()], config)
    with pytest.raises(UserError, match="was trained with 1 callback of your own, now there are none"):
        check_same(2, (), published, config)


@pytest.mark.parametrize(("name", "remedy"), [
    ("mycb.py:Mine", "write its module, --callbacks=mycb:Mine"), ("nowhere:X", "cannot be imported"),
    ("keras:__name__", "is no class; expected that of")])
def test_names_are_checked_before_a_run_begins(name, remedy):
    with pytest.raises(UserError, match=f"--callbacks={name}: .*{remedy}"):
        check_names((f"{__name__}:Mine", name))


@pytest.mark.parametrize("name", ["nowhere:X", "keras:Nothing", "keras.layers:ReLU", "keras.callbacks"])
def test_no_such_callback(name):
    with pytest.raises(UserError, match=f"--callbacks={name}: "):
        without_file(name)
