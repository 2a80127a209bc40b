"""Where a run is and what its epochs gave: what reporters show and what a checkpoint keeps beside the variables."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tagger.training import history
from tagger.training.throughput import Meter


@dataclasses.dataclass
class RunProgress:
    """The place in a run and its history.

    Attributes:
      epoch: finished epochs. step: steps made of the next one.
      epochs: what each finished epoch gave.
      throughput: what the steps of each epoch cost.
      meter: measures the steps of the epoch at hand.
      resumed: whether the run goes on from a checkpoint.
    """

    epoch: int = 0
    step: int = 0
    epochs: list[history.Epoch] = dataclasses.field(default_factory=list)
    throughput: list[history.Throughput] = dataclasses.field(default_factory=list)
    meter: Meter = dataclasses.field(default_factory=Meter)
    resumed: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, step)."""
        return self.epoch, self.step

    def add_throughput(self, cost: history.Throughput) -> None:
        """Notes what an epoch's steps cost, in place of what was noted for it before a restart."""
        self.throughput = [*(other for other in self.throughput if other.epoch != cost.epoch), cost]

    def get_state(self) -> dict[str, Any]:
        """For a checkpoint's JSON."""
        return {"epoch": self.epoch, "step": self.step, "history": [vars(row) for row in self.epochs],
                "throughput": [vars(cost) for cost in self.throughput]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `get_state` gave."""
        self.epoch, self.step, self.resumed = state["epoch"], state["step"], True
        self.epochs = [history.Epoch(**row) for row in state["history"]]
        self.throughput = [history.Throughput(**cost) for cost in state["throughput"]]
