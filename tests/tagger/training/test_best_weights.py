import pytest

from tagger.training.best_weights import BestWeights, mode


def drive(monitor, values):
    """The value that is kept after each epoch, and what is loaded at the end."""
    file, loaded = [], []
    weights = iter(range(len(values)))
    callback = BestWeights(monitor=monitor, save=lambda: file.append(now), load=lambda: loaded.append(file[-1]))
    for epoch, value in enumerate(values):
        now = next(weights)
        callback.on_epoch_end(epoch, {monitor: value})
    callback.on_train_end()
    return callback, file, loaded


@pytest.mark.parametrize(("monitor", "values", "saved"), [
    ("val_loss", [3.0, 2.0, 2.5, 2.0, 1.0], [0, 1, 4]), ("val_cider", [3.0, 2.0, 3.0, 4.0], [0, 3]),
    ("val_loss", [float("nan"), 2.0], [1])])
def test_the_first_of_the_best_is_kept_and_loaded_at_the_end(monitor, values, saved):
    callback, file, loaded = drive(monitor, values)
    assert file == saved and loaded == saved[-1:]
    assert (callback.best, callback.best_epoch) == (values[saved[-1]], saved[-1])


def test_without_an_epoch_nothing_is_loaded_and_without_a_file_nothing_fails():
    assert drive("val_loss", [])[1:] == ([], [])
    other = BestWeights(monitor="val_cider", save=None, load=None)
    other.on_epoch_end(0, {"val_cider": 1.0})
    other.on_train_end()
    assert (other.best, other.best_epoch) == (1.0, 0)
    assert (mode("val_loss"), mode("val_cider")) == ("min", "max")
