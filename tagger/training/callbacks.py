"""The published callbacks, users' own, and their state across restarts."""

import importlib
import math
from collections.abc import Sequence
from typing import Any

import keras
from etils import epath

from flags.errors import UserError
from flags.train import Train
from tagger.modeling.merge_model import MergeModel
from tagger.runs.run_dir import WEIGHTS_FILE, load_weights, save_weights


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the best validation in best.weights.h5, and ends with them.

    What ModelCheckpoint and EarlyStopping's restore_best_weights do, but written whole or not at all, on any file
    system, and with the file as the only memory, so that a restarted run ends with the same weights.

    Attributes:
      best: best value of the monitored quantity so far, infinite before the first epoch. best_epoch: its epoch,
        from 0.
    """

    def __init__(self, model: MergeModel, max_length: int, run_dir: epath.PathLike, write: bool,
                 monitor: str = "val_loss"):
        """write: whether this host writes files. monitor: val_loss, where less is better, or val_cider."""
        super().__init__()
        self.monitor, self._sign = monitor, 1 if mode(monitor) == "min" else -1
        self._merge_model, self._max_length, self._write = model, max_length, write
        self._path = epath.Path(run_dir) / WEIGHTS_FILE
        self.best, self.best_epoch = self._sign * math.inf, -1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs and self._sign * logs[self.monitor] < self._sign * self.best:
            self.best, self.best_epoch = float(logs[self.monitor]), epoch
            if self._write:
                save_weights(self._merge_model, self._max_length, self._path)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._write and self.best_epoch >= 0:
            load_weights(self._merge_model, self._path)


def mode(monitor: str) -> str:
    """"min" or "max": which values of --monitor are better."""
    return "min" if monitor == "val_loss" else "max"


def make_callbacks(config: Train, model: MergeModel, max_length: int, write: bool) -> list[keras.callbacks.Callback]:
    """The published callbacks as `config` sets them, then those of --callbacks."""
    callbacks: list[keras.callbacks.Callback] = [
        BestWeights(model, max_length, config.run_dir, write, config.monitor)]
    if config.patience:
        callbacks.append(keras.callbacks.EarlyStopping(
            config.monitor, patience=config.patience, mode=mode(config.monitor)))
    if config.plateau_patience:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(
            config.monitor, factor=config.plateau_factor, patience=config.plateau_patience,
            min_lr=config.min_learning_rate, mode=mode(config.monitor)))
    return callbacks + [_named(name) for name in config.callbacks]


def _named(name: str) -> keras.callbacks.Callback:
    """An instance of the callback class that "module:Class" names.

    Raises:
      UserError: there is no such class, it cannot be made without arguments, or it is no callback.
    """
    module, _, attribute = name.partition(":")
    try:
        callback = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"--callbacks={name}: expected module:Class of a class that is made without arguments "
                        f"({type(error).__name__}: {error}); is the module on PYTHONPATH?") from error
    if not isinstance(callback, keras.callbacks.Callback):
        raise UserError(f"--callbacks={name}: is a {type(callback).__name__}, expected a keras.callbacks.Callback")
    return callback


def get_state(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict[str, Any]]:
    """Numbers, strings, booleans and None among each callback's attributes: what a checkpoint keeps of it."""
    def plain(value: Any) -> Any:
        return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value

    return [{name: plain(value) for name, value in vars(callback).items()
             if isinstance(plain(value), bool | int | float | str | None)} for callback in callbacks]


def set_state(callbacks: Sequence[keras.callbacks.Callback], states: Sequence[dict[str, Any]]) -> None:
    """Gives callbacks the attributes that `get_state` read; to be called after their on_train_begin."""
    for callback, state in zip(callbacks, states, strict=True):
        vars(callback).update(state)
