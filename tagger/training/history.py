"""history.csv: one line per epoch, a pure function of the command; throughput.csv: what it cost, which is not.

They are two files so that history.csv of a run that was interrupted equals, byte for byte, that of one that was not.
"""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from etils import epath

from flags.errors import UserError
from records.util import regular_files
from records.util.atomic_files import write_atomic

HISTORY_FILE = "history.csv"
THROUGHPUT_FILE = "throughput.csv"
_LARGEST = 3.5e38  # that float32 can be


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
    """The lines of history.csv; none where there is no file.

    Raises:
      UserError: a line is no epoch, or not the one after that of the line before.
    """
    path = epath.Path(run_dir) / HISTORY_FILE
    rows = [Epoch(**row) for row in _numbers(path, Epoch)]
    for number, row in enumerate(rows, 1):
        if row.epoch != number or row.learning_rate < 0 or row.val_loss < 0:
            raise UserError(f"{path}:{number + 1}: is no line of epoch {number} as train writes it; restore the file, "
                            "or give the train command again, which writes it anew from its checkpoint")
    return rows


def read_throughput(run_dir: epath.PathLike) -> list[Throughput]:
    """The lines of throughput.csv; none where there is no file.

    Raises:
      UserError: a line holds something else than numbers.
    """
    return [Throughput(**row) for row in _numbers(epath.Path(run_dir) / THROUGHPUT_FILE, Throughput)]


def _numbers(path: epath.Path, kind: type) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file with the columns of a dataclass; the columns that have a default may be missing."""
    if not path.exists():
        return
    fields = {field.name: field for field in dataclasses.fields(kind)}
    number = 1
    try:
        table = csv.reader(io.StringIO(regular_files.read_text(path)), strict=True)
        columns = next(table, [])
        required = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
        if not set(required) <= set(columns) <= set(fields) or len(set(columns)) < len(columns):
            raise ValueError(f"its columns are {', '.join(columns)[:80]}, expected {', '.join(fields)}")
        for cells in table:
            number += 1
            if len(cells) != len(columns):
                raise ValueError(f"{len(cells)} values for {len(columns)} columns")
            yield {name: _number(name, text) for name, text in zip(columns, cells, strict=True)}
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}:{number}: {error}; restore the file, or give the train command again, which writes it "
                        "anew from its checkpoint") from error


def _number(column: str, text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,20}" if column == "epoch" else r"-?[0-9.]{1,40}(e[+-]?[0-9]{1,3})?", text):
        raise ValueError(f"{column} is {text[:40]!r}, expected a number")
    value = int(text) if column == "epoch" else float(text)
    if not abs(value) <= _LARGEST:
        raise ValueError(f"{column} is {text[:40]!r}, which is too large")
    return value


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
