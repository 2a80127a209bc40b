"""Callbacks that report, driven as the trainer drives them."""

import keras

from tagger.training import history
from tagger.training.running_sums import Sums

STEPS = 4


class Model:
    stop_training = False


def begin(reporters, progress, **model):
    callbacks = keras.callbacks.CallbackList(reporters, epochs=2, steps=STEPS, verbose=0)
    shown = Model()
    vars(shown).update(model)
    for reporter in reporters:
        reporter._model = shown
    callbacks.on_train_begin()
    return callbacks


def epoch(callbacks, progress, val_loss, val_cider=None):
    """One epoch, looked at after its last step."""
    callbacks.on_epoch_begin(progress.epoch)
    progress.meter.start(Sums(0.0, 0, 0, 0, -1), 0)
    for step in range(STEPS):
        if step + 1 == STEPS:
            progress.meter.look(Sums(20.0, 8, 8, 4, -1), STEPS)
        callbacks.on_train_batch_end(step, {"loss": 2.5} if step + 1 == STEPS else {})
    progress.add_throughput(history.Throughput(progress.epoch + 1, 2.0, 4000.0, 400.0, 25.0, 0.01))
    progress.epochs.append(history.Epoch(progress.epoch + 1, 2.5, val_loss, 0.001, val_cider))
    callbacks.on_test_begin()
    callbacks.on_test_batch_end(0)
    progress.epoch += 1
    callbacks.on_epoch_end(progress.epoch - 1, {"loss": 2.5, "val_loss": val_loss})
