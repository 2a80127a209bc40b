"""A progress line with a rate and an estimate: rewritten in place on a terminal, sparse when piped."""

import sys
import time
from typing import TextIO

_TERMINAL_INTERVAL_S = 0.2
_PIPED_INTERVAL_S = 30.0


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

        with Progress("features", total=5999, unit="images") as progress:
            progress.add(32, note="shard 3 of 16")

    Args:
      scale: what one `unit` is, in what is counted: 1e6 shows counted bytes as MB.

    Attributes:
      done: what is finished so far, that of an earlier, interrupted run (`initial`) included.
    """

    def __init__(self, label: str, total: int, unit: str, initial: int = 0, stream: TextIO | None = None,
                 scale: float = 1):
        self._label, self._total, self._unit, self._scale = label, total, unit, scale
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._initial = self.done = initial
        self._start = self._shown = time.monotonic()

    def add(self, count: int, note: str = "") -> None:
        """Counts `count` more units as done and shows the line when it is due."""
        self.done += count
        now = time.monotonic()
        if now - self._shown >= (_TERMINAL_INTERVAL_S if self._terminal else _PIPED_INTERVAL_S):
            self._shown = now
            self._show(note)

    def _amount(self, counted: float) -> str:
        return _number(counted / self._scale)

    def _show(self, note: str) -> None:
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = (self.done - self._initial) / elapsed
        left = f", {duration((self._total - self.done) / rate)} left" if rate and self._total > self.done else ""
        line = (f"{self._label}: {self._amount(self.done)}/{self._amount(self._total)} {self._unit}, "
                f"{self._amount(rate)}/s{left}")
        line += f", {note}" if note else ""
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._stream.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        elapsed = time.monotonic() - self._start
        rate = (self.done - self._initial) / max(elapsed, 1e-9)
        unit = self._unit.removesuffix("s") if self.done == 1 else self._unit
        line = (f"{self._label}: {self._amount(self.done)} {unit} in {duration(elapsed)} "
                f"({self._amount(rate)}/s)")
        self._stream.write(f"\r{line}\x1b[K\n" if self._terminal else f"{line}\n")
        self._stream.flush()
