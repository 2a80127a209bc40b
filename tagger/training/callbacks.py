"""The published callbacks, and users' own."""

from collections.abc import Callable

import keras

from flags.errors import UserError
from flags.train import Train
from records.util import user_code
from tagger.training.best_weights import BestWeights, mode


def make_callbacks(*, config: Train, monitor: str, save: Callable[[], None] | None, load: Callable[[], None] | None
                   ) -> list[keras.callbacks.Callback]:
    """The published callbacks as `config` sets them, then those of --callbacks; arguments as of BestWeights."""
    callbacks: list[keras.callbacks.Callback] = [BestWeights(monitor=monitor, save=save, load=load)]
    if config.patience:
        callbacks.append(keras.callbacks.EarlyStopping(
            monitor, patience=config.patience, mode=mode(monitor)))
    if config.plateau_patience:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(
            monitor, factor=config.plateau_factor, patience=config.plateau_patience,
            min_lr=config.min_learning_rate, mode=mode(monitor)))
    return callbacks + [_named(name) for name in config.callbacks]


def _named(name: str) -> keras.callbacks.Callback:
    """An instance of the callback class that "module:Class" names.

    Raises:
      UserError: there is no such class, it cannot be made without arguments, or it is no callback.
    """
    callback = user_code.call(name, "callbacks")
    if not isinstance(callback, keras.callbacks.Callback):
        raise UserError(f"--callbacks={name}: is a {type(callback).__name__}, expected a keras.callbacks.Callback")
    return callback
