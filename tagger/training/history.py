"""history.csv: one line per epoch, a pure function of the command; throughput.csv: what it cost, which is not.

They are two files so that history.csv of a run that was interrupted equals, byte for byte, that of one that was not.
"""

import csv
import dataclasses
import io
from collections.abc import Sequence

from etils import epath

from records.util.atomic_files import write_atomic

HISTORY_FILE = "history.csv"
THROUGHPUT_FILE = "throughput.csv"


@dataclasses.dataclass(frozen=True)
class Epoch:
    """A line of history.csv.

    Attributes:
      epoch: counted from 1.
      loss: mean over the train split's tokens during the epoch, with dropout, in nats; in self-critical training
        minus the mean reward of sampled captions.
      val_loss: mean over the validation split's tokens after it.
      learning_rate: of the epoch's last update.
      val_cider: CIDEr-D of the validation split's captions in points, with --monitor=val_cider; else None, and
        history.csv has no such column.
    """

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float
    val_cider: float | None = None

    @property
    def reward(self) -> float | None:
        """Mean CIDEr-D of sampled captions in points, where that was trained: a cross-entropy is never below 0."""
        return None if self.loss > 0 else -100 * self.loss


@dataclasses.dataclass(frozen=True)
class Throughput:
    """A line of throughput.csv; of the part of the epoch after the last restart.

    Attributes:
      seconds: of training, without validation.
      step_ms: of one step, waiting included.
      data_wait: share of the time in which no batch was ready.
    """

    epoch: int
    seconds: float
    tokens_per_s: float
    captions_per_s: float
    step_ms: float
    data_wait: float


def write(run_dir: epath.PathLike, rows: list[Epoch], costs: list[Throughput]) -> None:
    """Writes both files."""
    folder = epath.Path(run_dir)
    columns = _names(Epoch) if any(row.val_cider is not None for row in rows) else _names(Epoch)[:-1]
    write_atomic(folder / HISTORY_FILE, _table(columns, [[getattr(row, name) for name in columns] for row in rows]))
    rounded = [tuple(round(value, 3) for value in dataclasses.astuple(cost)) for cost in costs]
    write_atomic(folder / THROUGHPUT_FILE, _table(_names(Throughput), rounded))


def read(run_dir: epath.PathLike) -> list[Epoch]:
    """The lines of history.csv; none where there is no file."""
    path = epath.Path(run_dir) / HISTORY_FILE
    if not path.exists():
        return []
    return [Epoch(int(row["epoch"]), float(row["loss"]), float(row["val_loss"]), float(row["learning_rate"]),
                  float(row["val_cider"]) if row.get("val_cider") else None)
            for row in csv.DictReader(io.StringIO(path.read_text()))]


def best(rows: list[Epoch]) -> Epoch:
    """The epoch with the highest val_cider where there is one, else with the lowest val_loss; the first of equals."""
    return min(rows, key=lambda row: row.val_loss if row.val_cider is None else -row.val_cider)


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _table(columns: Sequence[str], rows: Sequence[Sequence]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
