"""What a report is about: a run folder read into plain values, each part only when it is there."""

import csv
import dataclasses
import io
import json
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.format import layout
from records.format import manifest as manifest_lib
from tagger.evaluation import files
from tagger.runs import run_dir as run_dir_lib
from tagger.training import history as history_lib
from tagger.training.history import HISTORY_FILE, THROUGHPUT_FILE


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One eval-SPLIT folder.

    Attributes:
      split: the split's name.
      metrics: metrics.json.
      folder: where predictions and pictures are.
    """

    split: str
    metrics: dict[str, Any]
    folder: epath.Path

    def predictions(self) -> list[dict[str, Any]]:
        """predictions.jsonl; empty where the file is missing."""
        path = self.folder / files.PREDICTIONS
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def picture(self, name: str) -> bytes | None:
        """A PNG of the folder, if it is there."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None


@dataclasses.dataclass(frozen=True)
class RunData:
    """A run folder.

    Attributes:
      folder: where it is.
      config: the flags of train.
      manifest: of the records it was trained on.
      history: the lines of history.csv.
      throughput: a dict per epoch, of throughput.csv: epoch, seconds, tokens_per_s, captions_per_s, …
      evaluations: one per evaluated split, by name.
      changed: when it last changed, seconds since 1970.
    """

    folder: epath.Path
    config: Train
    manifest: manifest_lib.Manifest
    history: list[history_lib.Epoch]
    throughput: list[dict[str, float]]
    evaluations: list[Evaluation]
    changed: float

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def best(self) -> history_lib.Epoch | None:
        """The epoch whose weights were kept, None before the first."""
        return history_lib.best(self.history) if self.history else None


def load(folder: epath.PathLike) -> RunData:
    """Reads a run folder.

    Raises:
      UserError: it is no run folder, or a file in it cannot be read.
    """
    path = epath.Path(folder)
    config = run_dir_lib.load_config(path)
    if config is None:
        raise UserError(f"--run_dir={folder}: has no {run_dir_lib.CONFIG_FILE}, so it is no folder that train wrote; "
                        "run --mode=train first")
    try:
        manifest = manifest_lib.from_json((path / layout.MANIFEST).read_bytes())
        history, throughput = history_lib.read(path), _table(path / THROUGHPUT_FILE)
        evaluations = [Evaluation(split, json.loads((part / files.METRICS).read_text()), part)
                       for split, part in files.finished(path)]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"--run_dir={folder}: cannot be read as a run ({error}); run eval again for a damaged "
                        "evaluation, or train again") from error
    changed = max(one.stat().mtime for one in (path / run_dir_lib.CONFIG_FILE, path / HISTORY_FILE,
                                               *(e.folder / files.METRICS for e in evaluations)) if one.exists())
    return RunData(path, config, manifest, history, throughput, evaluations, float(changed))


def neighbours(run: RunData, count: int) -> tuple[list[RunData], list[str]]:
    """The runs beside `run`, most recent first, at most `count`; and the names of folders that could not be read."""
    found, unreadable = [], []
    for path in sorted(epath.Path(run.folder).resolve().parent.iterdir()):
        if path.name == run.folder.resolve().name or not (path / run_dir_lib.CONFIG_FILE).exists():
            continue
        try:
            found.append(load(path))
        except UserError:
            unreadable.append(path.name)
    return sorted(found, key=lambda one: (-one.changed, one.name))[:count], unreadable


def _table(path: epath.Path) -> list[dict[str, float]]:
    """The rows of a CSV file of numbers; none where there is no file."""
    if not path.exists():
        return []
    return [{key: float(text) for key, text in row.items()} for row in csv.DictReader(io.StringIO(path.read_text()))]
