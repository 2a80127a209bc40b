"""What a checkpoint keeps beside the variables, checked before a run goes on from it."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import keras

from records.util import typed_json
from records.util.typed_json import Count, between
from tagger.training.callbacks import class_names
from tagger.training.history import Epoch, Throughput


@dataclasses.dataclass(frozen=True)
class CheckpointState:
    """The JSON text of a checkpoint.

    Attributes:
      epoch, step, history, throughput: as in RunProgress.
      steps_per_epoch: of the run.
      stop_training: whether a callback has ended it.
      callbacks: the state of each, as in tagger.training.callback_state.
      callback_classes: the name of each one's class; checkpoints of earlier versions have none.
    """

    epoch: Count
    step: Count
    steps_per_epoch: Annotated[int, between(1, 2**63 - 1)]
    stop_training: bool
    callbacks: tuple[dict[str, Any], ...]
    history: tuple[Epoch, ...]
    throughput: tuple[Throughput, ...]
    callback_classes: tuple[str, ...] = ()


def check(state: Mapping[str, Any], callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Raises ValueError where the trainer has not written `state`; of which callbacks it is is not looked at."""
    parsed, faults = typed_json.read(CheckpointState, state, "its state")
    if faults:
        raise ValueError(faults[0])
    if parsed.step > parsed.steps_per_epoch or [row.epoch for row in parsed.history] != [*range(1, parsed.epoch + 1)]:
        raise ValueError(f"its state is of step {parsed.step} of {parsed.steps_per_epoch} after {parsed.epoch} epochs, "
                         f"its history of {len(parsed.history)}")
    numbers = [value for row in (*parsed.history, *parsed.throughput) for value in vars(row).values()]
    if not all(value is None or math.isfinite(value) for value in numbers):
        raise ValueError("a number in its history is not finite")
    classes = parsed.callback_classes or class_names(callbacks)[:len(parsed.callbacks)]
    if len(classes) != len(parsed.callbacks) and parsed.callback_classes:
        raise ValueError(f"its state is of {len(parsed.callbacks)} callbacks, but of {len(classes)} classes of them")
    for callback, saved, saved_class in zip(callbacks, parsed.callbacks, classes, strict=False):
        # Of users' own nothing is known, nor of those that another has taken the place of.
        published = (type(callback).__module__.startswith(("keras.", "tagger."))
                     and type(callback).__name__ == saved_class)
        for name, value in saved.items():
            kinds = {_kind(value), _kind(vars(callback).get(name)) if published else None} - {None}
            if _kind(value) is dict or len(kinds) > 1:
                raise ValueError(f"{name} of {type(callback).__name__} is {value!r}")


def _kind(value: Any) -> type | None:
    """The type of a value that may take another's place; None for that of any."""
    if value is None:
        return None
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) or hasattr(value, "dtype") else dict
