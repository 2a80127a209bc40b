import keras
import numpy as np

from tagger.training.callback_state import get_state, set_state


class Counter(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count, self.best, self.name, self.on, self.last = 0, np.float32(2.5), "a", True, None
        self.seen, self.scores = [1], np.zeros(3)


def test_plain_values_are_kept_and_nothing_else():
    (state,) = get_state([Counter()])
    kept = {name: state[name] for name in ("count", "best", "name", "on", "last")}
    assert kept == {"count": 0, "best": 2.5, "name": "a", "on": True, "last": None}
    assert type(state["best"]) is float and "seen" not in state and "scores" not in state


def test_each_gets_its_own_back():
    callbacks = [Counter(), Counter()]
    callbacks[0].count, callbacks[1].count = 3, 4
    state = get_state(callbacks)
    again = [Counter(), Counter()]
    set_state(again, state)
    assert [callback.count for callback in again] == [3, 4] and again[0].seen == [1]


def test_the_sign_that_keras_gives_a_least_gain_is_not_given_twice():
    def started():
        callback = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=0.5, mode="min")
        callback.on_train_begin()
        callback._set_monitor_op()
        return callback

    before, after = started(), started()
    expected = after.min_delta
    set_state([after], get_state([before]))
    assert after.min_delta == expected
