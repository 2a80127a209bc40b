"""The weights of the best epoch, kept in a file."""

import math
from collections.abc import Callable

import keras


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best validation in best.weights.h5, and ends with them.

    What ModelCheckpoint and EarlyStopping's restore_best_weights do, but written whole or not at all, on any file
    system, and with the file as the only memory, so that a restarted run ends with the same weights.

    Attributes:
      best: best value of the monitored quantity so far, infinite before the first epoch. best_epoch: its epoch,
        from 0.
    """

    def __init__(self, *, monitor: str, save: Callable[[], None] | None, load: Callable[[], None] | None):
        """monitor: val_loss, where less is better, or val_cider. save, load: the file; None on hosts without it."""
        super().__init__()
        self.monitor, self._sign = monitor, 1 if mode(monitor) == "min" else -1
        self._save, self._load = save, load
        self.best, self.best_epoch = self._sign * math.inf, -1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs and self._sign * logs[self.monitor] < self._sign * self.best:
            self.best, self.best_epoch = float(logs[self.monitor]), epoch
            if self._save:
                self._save()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._load and self.best_epoch >= 0:
            self._load()


def mode(monitor: str) -> str:
    """"min" or "max": which values of --monitor are better."""
    return "min" if monitor == "val_loss" else "max"
