import keras
import pytest

from tagger.training.checkpoint_state import check

ROW = {"epoch": 1, "loss": 2.0, "val_loss": 3.0, "learning_rate": 0.001, "val_cider": None}
STATE = {"epoch": 1, "step": 3, "steps_per_epoch": 10, "stop_training": False, "callbacks": [{"wait": 1}],
         "history": [ROW], "throughput": []}


def callbacks():
    return [keras.callbacks.EarlyStopping(monitor="val_loss")]


def test_what_a_trainer_writes_is_taken():
    check(STATE, callbacks())
    check({**STATE, "callbacks": [{"wait": 1.0, "users_own": "text"}]}, callbacks())


def test_a_state_of_another_class_is_no_damage():
    """It is refused later, by name: tagger.training.callbacks.check_same."""
    check({**STATE, "callbacks": [{"wait": "text"}], "callback_classes": ["Mine"]}, callbacks())


@pytest.mark.parametrize(("change", "said"), [
    ({"step": -1}, "step is -1"), ({"step": 11}, "of step 11 of 10 after 1 epochs"),
    ({"epoch": 2}, "its history of 1"), ({"history": [{**ROW, "epoch": 2}]}, "its history of 1"),
    ({"callbacks": [{"wait": "text"}]}, "wait of EarlyStopping is 'text'"),
    ({"callback_classes": ["EarlyStopping", "Mine"]}, "of 1 callbacks, but of 2 classes"),
    ({"callbacks": [{"wait": [1]}]}, "wait of EarlyStopping is"),
    ({"history": [{**ROW, "loss": float("nan")}]}, "not finite"), ({"extra": 1}, "unknown")])
def test_what_it_does_not_write_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        check({**STATE, **change}, callbacks())
