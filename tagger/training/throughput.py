"""What the steps of an epoch cost: rates, step time and the share of time spent waiting for data."""

import contextlib
import time
from collections.abc import Iterator

from tagger.training import history
from tagger.training.running_sums import Sums

_LOOK_EVERY_S = 1.0  # how often the device is waited for, to show the loss and to find one that is not finite


class Meter:
    """Measures the steps of an epoch, from its first or from the restart in its middle.

        meter.start(sums, step=0)
        for …:
            with meter.waiting():
                batch = next(batches)
            …
            if meter.due():
                meter.look(state.sums.read(), step)
                print(meter.note())
    """

    def __init__(self) -> None:
        self.start(Sums(0.0, 0, 0, 0, -1), 0)

    def start(self, sums: Sums, step: int) -> None:
        """Begins to measure at `step`, where the epoch's sums are `sums`."""
        self._before, self._first_step = sums, step
        self._sums, self._step = sums, step
        self._start = self._looked = time.monotonic()
        self._waited = 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for data."""
        start = time.monotonic()
        yield
        self._waited += time.monotonic() - start

    def due(self) -> bool:
        """Whether it is time to wait for the device and look."""
        return time.monotonic() - self._looked > _LOOK_EVERY_S

    def look(self, sums: Sums, step: int) -> None:
        """Notes the epoch's sums after `step`; they must have just been read, so that the device is idle."""
        self._sums, self._step, self._looked = sums, step, time.monotonic()

    def cost(self, epoch: int) -> history.Throughput | None:
        """Rates from the start to the last look, as those of epoch number `epoch`; None before any step."""
        steps = self._step - self._first_step
        if not steps:
            return None
        seconds = max(self._looked - self._start, 1e-9)
        return history.Throughput(
            epoch, seconds, (self._sums.tokens - self._before.tokens) / seconds,
            (self._sums.captions - self._before.captions) / seconds, seconds / steps * 1e3, self._waited / seconds)

    def scalars(self) -> dict[str, float]:
        """What TensorBoard gets."""
        cost = self.cost(0)
        rates = {} if cost is None else {
            "tokens_per_s": cost.tokens_per_s, "captions_per_s": cost.captions_per_s, "step_ms": cost.step_ms,
            "data_wait": cost.data_wait}
        return {"loss": self._sums.mean, **rates}

    def note(self) -> str:
        """What the progress line shows."""
        cost = self.cost(0)
        rates = "" if cost is None else (
            f", {cost.tokens_per_s:,.0f} tokens/s, {cost.captions_per_s:,.0f} captions/s, {cost.step_ms:.0f} ms a "
            f"step, {cost.data_wait:.1%} waiting")
        return f"loss {self._sums.mean:.4f}{rates}"
