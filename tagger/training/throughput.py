"""What the steps of an epoch cost: rates, step time and the share of time spent waiting for data."""

import contextlib
import time
from collections.abc import Iterator

from tagger.training import history
from tagger.training.step import Sums

_LOOK_EVERY_S = 1.0  # how often the device is waited for, to show the loss and to find one that is not finite


class Meter:
    """What the steps of an epoch cost, since its first or since the restart in its middle."""

    def __init__(self, before: Sums, first_step: int):
        self._before, self._first_step = before, first_step
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

    def steps(self, step: int) -> int:
        """Steps made since the start."""
        return step - self._first_step

    def cost(self, epoch: int, sums: Sums, step: int) -> history.Throughput:
        """Rates since the start; `sums` must have just been read, so that the device is idle."""
        self._looked = time.monotonic()
        seconds = max(self._looked - self._start, 1e-9)
        return history.Throughput(
            epoch, seconds, (sums.tokens - self._before.tokens) / seconds,
            (sums.captions - self._before.captions) / seconds, seconds / self.steps(step) * 1e3, self._waited / seconds)

    def scalars(self, sums: Sums, step: int) -> dict[str, float]:
        """What TensorBoard gets."""
        cost = self.cost(0, sums, step)
        return {"loss": sums.mean, "tokens_per_s": cost.tokens_per_s, "captions_per_s": cost.captions_per_s,
                "step_ms": cost.step_ms, "data_wait": cost.data_wait}

    def note(self, sums: Sums, step: int) -> str:
        """What the progress line shows."""
        cost = self.cost(0, sums, step)
        return (f"loss {sums.mean:.4f}, {cost.tokens_per_s:,.0f} tokens/s, {cost.captions_per_s:,.0f} captions/s, "
                f"{cost.step_ms:.0f} ms a step, {cost.data_wait:.1%} waiting")
