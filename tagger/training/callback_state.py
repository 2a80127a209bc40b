"""What a checkpoint keeps of Keras callbacks, published ones and users' own."""

from collections.abc import Sequence
from typing import Any

import keras


def get_state(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict[str, Any]]:
    """Numbers, strings, booleans and None among each callback's attributes: what a checkpoint keeps of it."""
    def plain(value: Any) -> Any:
        return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value

    return [{name: plain(value) for name, value in vars(callback).items()
             if isinstance(plain(value), bool | int | float | str | None)} for callback in callbacks]


def set_state(callbacks: Sequence[keras.callbacks.Callback], states: Sequence[dict[str, Any]]) -> None:
    """Gives callbacks the attributes that `get_state` read; to be called after their on_train_begin."""
    for callback, state in zip(callbacks, states, strict=True):
        # Keras's callbacks that monitor a value give min_delta its sign when they first use it: what comes out of a
        # checkpoint has had it, and would get it a second time.
        signed = {"min_delta"} if hasattr(callback, "monitor_op") else set()
        vars(callback).update({name: value for name, value in state.items() if name not in signed})
