"""A progress line with a rate and an estimate: rewritten in place on a terminal, sparse when piped."""

import sys
import time
from typing import TextIO

_TERMINAL_INTERVAL_S = 0.2
_PIPED_INTERVAL_S = 30.0
_LEAST_MEASURED_S = 1.0  # of work behind an estimate: what was ready at the same time as the first would double it


def duration(seconds: float) -> str:
    """'42 s', '3 min 05 s' or '2 h 07 min'."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds // 60 % 60:02d} min"


def _number(value: float) -> str:
    """'0.023', '9.5', '24' or '24,000': two digits where there are fewer than two before the point."""
    return f"{value:.2g}" if value < 9.95 and value != int(value) else f"{value:,.0f}"


class Progress:
    """Counts units of work towards a total.

        with Progress("features", total=5999, unit="photos") as progress:
            progress.add(32, note="shard 3 of 16")

    Args:
      scale: what one `unit` is, in what is counted: 1e6 shows counted bytes as MB.
      warms_up: whether the time until the first units are done has work in it that comes once, as a network's first
        batch compiles it: rate and time left are then of what comes after, and are not shown before that.

    Attributes:
      done: what is finished so far, that of an earlier, interrupted run (`initial`) included.
    """

    def __init__(self, label: str, total: int, unit: str, initial: int = 0, stream: TextIO | None = None,
                 scale: float = 1, warms_up: bool = False):
        self._label, self._total, self._unit, self._scale = label, total, unit, scale
        self._stream, self._warms_up = stream or sys.stderr, warms_up
        self._terminal = self._stream.isatty()
        self._initial = self.done = initial
        self._start = self._shown = time.monotonic()
        self._measured_from = None if warms_up else (self._start, initial)  # when, and what was done then

    def add(self, count: int, note: str = "") -> None:
        """Counts `count` more units as done and shows the line when it is due."""
        self.done += count
        now = time.monotonic()
        if count and self._measured_from is None:
            self._measured_from = now, self.done
        if now - self._shown >= (_TERMINAL_INTERVAL_S if self._terminal else _PIPED_INTERVAL_S):
            self._shown = now
            self._show(note, now)

    def _amount(self, counted: float) -> str:
        return _number(counted / self._scale)

    def _show(self, note: str, now: float) -> None:
        line = f"{self._label}: {self._amount(self.done)}/{self._amount(self._total)} {self._unit}"
        since, before = self._measured_from or (now, self.done)
        seconds = now - since
        if self._measured_from and (not self._warms_up or seconds >= _LEAST_MEASURED_S):
            rate = (self.done - before) / max(seconds, 1e-9)
            line += f", {self._amount(rate)}/s"
            line += f", {duration((self._total - self.done) / rate)} left" if rate and self._total > self.done else ""
        line += f", {note}" if note else ""
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._stream.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        if not self._total and not self.done:
            return
        elapsed = time.monotonic() - self._start
        rate = (self.done - self._initial) / max(elapsed, 1e-9)
        unit = self._unit.removesuffix("s") if self.done == 1 else self._unit
        line = (f"{self._label}: {self._amount(self.done)} {unit} in {duration(elapsed)} "
                f"({self._amount(rate)}/s)")
        self._stream.write(f"\r{line}\x1b[K\n" if self._terminal else f"{line}\n")
        self._stream.flush()
