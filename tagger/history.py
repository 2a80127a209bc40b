"""history.csv: one line per epoch, a pure function of the command; throughput.csv: what it cost, which is not.

They are two files so that history.csv of a run that was interrupted equals, byte for byte, that of one that was not.
"""

import csv
import dataclasses
import io

from etils import epath

from records.files import write_atomic

HISTORY_FILE = "history.csv"
THROUGHPUT_FILE = "throughput.csv"


@dataclasses.dataclass(frozen=True)
class Epoch:
    """A line of history.csv.

    Attributes:
      epoch: counted from 1.
      loss: mean over the train split's tokens during the epoch, with dropout, in nats.
      val_loss: mean over the validation split's tokens after it.
      learning_rate: of the epoch's last update.
    """

    epoch: int
    loss: float
    val_loss: float
    learning_rate: float


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
    write_atomic(folder / HISTORY_FILE, _table(Epoch, [dataclasses.astuple(row) for row in rows]))
    rounded = [tuple(round(value, 3) for value in dataclasses.astuple(cost)) for cost in costs]
    write_atomic(folder / THROUGHPUT_FILE, _table(Throughput, rounded))


def read(run_dir: epath.PathLike) -> list[Epoch]:
    """The lines of history.csv; none where there is no file."""
    path = epath.Path(run_dir) / HISTORY_FILE
    if not path.exists():
        return []
    return [Epoch(int(row["epoch"]), float(row["loss"]), float(row["val_loss"]), float(row["learning_rate"]))
            for row in csv.DictReader(io.StringIO(path.read_text()))]


def best(rows: list[Epoch]) -> Epoch:
    """The epoch with the lowest validation loss, the first of equals."""
    return min(rows, key=lambda row: row.val_loss)


def _table(kind: type, rows: list[tuple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(kind)])
    writer.writerows(rows)
    return text.getvalue()
