"""The published callbacks, and users' own."""

from collections.abc import Callable, Sequence

import keras

from flags.errors import UserError
from flags.train import Train
from records.util import user_code
from records.util.counted import counted
from records.util.printable import printable
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


def check_same(number: int, names: Sequence[str], callbacks: Sequence[keras.callbacks.Callback], config: Train) -> None:
    """Checks that a checkpoint's callbacks are those of the training.

    Args:
      number: callbacks whose state the checkpoint has.
      names: of their classes; none in a checkpoint of an earlier version.
      callbacks: of the training, the published ones first.

    Raises:
      UserError: users' own are not as many, or of other classes or in another order.
    """
    published = 1 + bool(config.patience) + bool(config.plateau_patience)
    if number != len(callbacks) or (names and list(names) != class_names(callbacks)):
        now = class_names(callbacks[published:])
        was = _listed(names[published:]) if names else counted(number - published, "callback")
        raise UserError(f"--run_dir={config.run_dir}: its run was trained with {was} of your own, now there "
                        f"{'is' if len(now) == 1 else 'are'} {_listed(now)}; pass the same ones again in the same "
                        "order (from Python as callbacks=[…]), or give another --run_dir")


def class_names(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """Names of their classes, without modules: a notebook's class may move into a file."""
    return [type(callback).__name__ for callback in callbacks]


def _listed(names: Sequence[str]) -> str:
    return f"{counted(len(names), 'callback')} ({', '.join(names)})" if names else "none"


def check_names(names: Sequence[str]) -> None:
    """Raises UserError where one of --callbacks is no class or function in a module that can be imported."""
    for name in names:
        if not callable(user_code.load(name, "callbacks")):
            raise UserError(f"--callbacks={name}: is no class; expected that of a keras.callbacks.Callback")


def as_list(callbacks: object) -> list[keras.callbacks.Callback]:
    """What `callbacks=` of Python was given: a list of callbacks, or one, as Keras takes them.

    Raises:
      UserError: something among it is no callback, as a class of which no object was made.
    """
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for callback in given:
        if isinstance(callback, type) and issubclass(callback, keras.callbacks.Callback):
            name = callback.__name__
            raise UserError(f"callbacks=[{name}]: is a class; make an object of it, callbacks=[{name}()]")
        if not isinstance(callback, keras.callbacks.Callback):
            raise UserError(f"callbacks=: {printable(repr(callback))[:80]} is no keras.callbacks.Callback; expected a "
                            "list of such objects, as [Losses()]")
    return given


def _named(name: str) -> keras.callbacks.Callback:
    """An instance of the callback class that "module:Class" names.

    Raises:
      UserError: there is no such class, it cannot be made without arguments, or it is no callback.
    """
    callback = user_code.call(name, "callbacks")
    if not isinstance(callback, keras.callbacks.Callback):
        kind = "None" if callback is None else f"a {type(callback).__name__}"
        raise UserError(f"--callbacks={name}: called, it gives {kind}; expected the class of a "
                        "keras.callbacks.Callback, or a function that returns one")
    return callback
