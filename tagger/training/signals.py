"""SIGTERM and SIGINT as a wish to stop, which the training grants after the step at hand."""

import signal
import types
from typing import Any

EXIT_TERMINATED = 128 + signal.SIGTERM


class StopSignals:
    """Inside it, the first SIGTERM or SIGINT is noted; a second one of its kind is not held back.

    Attributes:
      number: of the signal that came; 0 while there is none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: types.FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])
