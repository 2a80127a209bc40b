import sys

import keras
import numpy as np
import pytest

from flags.errors import UserError
from flags.train import Train
from tagger.modeling.merge_model import MergeModel
from tagger.training.callbacks import BestWeights, get_state, make_callbacks, set_state
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
    callbacks = make_callbacks(Train(records_dir="", run_dir=str(tmp_path), **flags), model, 5, write=True)
    published = model.published(5)
    published.optimizer, published.stop_training = FusedAdam(0.001), False
    published.optimizer.build(published.trainable_variables)
    for callback in callbacks:
        callback.set_model(published)
        callback.on_train_begin()
    return model, published, callbacks


def test_published_callbacks(tmp_path):
    model, published, callbacks = start(tmp_path)
    assert drive(callbacks, published, LOSSES) == (pytest.approx(0.0002), 9)
    assert (callbacks[0].best, callbacks[0].best_epoch) == (2.4, 3)


def test_patience_zero_never_stops(tmp_path):
    model, published, callbacks = start(tmp_path, patience=0, plateau_patience=0)
    assert drive(callbacks, published, LOSSES) == (pytest.approx(0.001), 10)


@pytest.mark.parametrize("cut", range(1, 9))
def test_state_goes_on_after_a_restart(tmp_path, cut):
    _, published, callbacks = start(tmp_path)
    rate, _ = drive(callbacks, published, LOSSES[:cut])
    state = get_state(callbacks)
    _, published, callbacks = start(tmp_path)
    published.optimizer.learning_rate = rate
    set_state(callbacks, state)
    assert drive(callbacks, published, LOSSES[cut:], cut) == (pytest.approx(0.0002), 9)


def test_best_weights_come_back_at_the_end(tmp_path):
    model, published, callbacks = start(tmp_path)
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


def test_own_callbacks(tmp_path):
    callbacks = make_callbacks(
        Train(records_dir="", run_dir="", callbacks=(f"{__name__}:Mine",)), MergeModel(20, 8), 5, write=False)
    assert [type(c) for c in callbacks] == [
        BestWeights, keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau, sys.modules[__name__].Mine]
    callbacks[-1].epochs_seen = 4
    assert get_state(callbacks)[-1]["epochs_seen"] == 4
    assert "notes" not in get_state(callbacks)[-1]


@pytest.mark.parametrize("name", ["nowhere:X", "keras:Nothing", "keras.layers:ReLU", "keras.callbacks"])
def test_no_such_callback(name):
    with pytest.raises(UserError, match=f"--callbacks={name}: "):
        make_callbacks(Train(records_dir="", run_dir="", callbacks=(name,)), MergeModel(20, 8), 5, write=False)
