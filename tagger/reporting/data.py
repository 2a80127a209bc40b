"""The data of a report: a run folder read into plain values. Files that are not there yet give empty values."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.format import manifest as manifest_lib
from records.util import regular_files, typed_json
from records.util.hashing import file_sha256
from records.util.typed_json import Check, Count, between
from tagger.evaluation import extremes, files
from tagger.evaluation.contact_sheets import RANKINGS
from tagger.reporting.metric_columns import METRICS, TILES
from tagger.runs import run_dir as run_dir_lib
from tagger.training import history as history_lib
from tagger.training.history import HISTORY_FILE


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One eval-SPLIT folder.

    Attributes:
      split: the split's name.
      metrics: metrics.json.
      folder: where predictions and pictures are.
      outdated: whether they are of weights that the run has replaced by better ones since.
    """

    split: str
    metrics: dict[str, Any]
    folder: epath.Path
    outdated: bool = False

    def predictions(self) -> list[dict[str, Any]]:
        """The rows of predictions.jsonl; empty where the file is missing.

        Raises:
          UserError: a line is not as eval writes it, or the number of lines differs from the images in metrics.json.
        """
        path = self.folder / files.PREDICTIONS
        if not path.exists():
            return []
        rows, number = [], 0
        try:
            for line in regular_files.read_text(path).removesuffix("\n").split("\n"):
                number += 1
                rows.append(_checked(_Prediction, typed_json.loads(line), "the line"))
                if not isinstance(rows[-1].get(self.metrics["ranking"]), int | float):
                    raise ValueError(f"it has no {self.metrics['ranking']}")
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}; run eval again") from error
        if len(rows) != self.metrics["images"]:
            raise UserError(f"{path}: has {len(rows)} lines, {files.METRICS} is of {self.metrics['images']} photos; "
                            "they are of different evaluations, run eval again")
        return rows

    def worst_and_best(self, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The `count` rows of lowest rank, lowest first, and those of highest; as tagger.evaluation.extremes has it."""
        ranking = self.metrics["ranking"]
        ranked = sorted((row for row in self.predictions() if row[ranking] is not None),
                        key=lambda row: (row[ranking], row["image"]))
        worst, best = extremes.worst_and_best([row[ranking] for row in ranked], count)
        return [ranked[i] for i in worst], [ranked[i] for i in best]

    def picture(self, name: str) -> bytes | None:
        """A PNG of the folder, if it is there."""
        path = self.folder / name
        return regular_files.read_bytes(path) if path.exists() else None


_Metric = Annotated[float, between(-1e12, 1e12)] | None


@dataclasses.dataclass(frozen=True)
class _Metrics:
    """What of metrics.json the page and the notes on it take for granted, beside the metrics."""

    images: Annotated[int, between(1, 2**63 - 1)]
    limit: Count
    target: Annotated[str, Check(lambda target: target in ("captions", "tags"), "captions or tags")]
    weights: str
    beam_width: Count
    length_penalty: Annotated[float, between(-1e12, 1e12)]
    ranking: Annotated[str, Check(lambda name: name in RANKINGS, " or ".join(RANKINGS))]
    records_dir: str
    images_without_shared_tags: Count | None = None
    average_precision_tags: Count | None = None
    chance_average_precision: _Metric = None
    captions_without_words: Count | None = None
    best_epoch: Count | None = None
    epochs: Count | None = None
    precision: str = "float32"
    weights_sha256: str | None = None
    changed_captions: Count = 0
    compared_captions: Count | None = None
    way_to_hold_out_more: str | None = None


@dataclasses.dataclass(frozen=True)
class _Prediction:
    """What of a line of predictions.jsonl the page takes for granted."""

    image: str
    caption: str
    tags: tuple[str, ...]
    references: tuple[str, ...]
    reference_tags: tuple[tuple[str, ...], ...]
    cider: _Metric = None
    tag_f1: _Metric = None


def _checked(kind: type, value: Any, where: str) -> dict[str, Any]:
    """Returns `value` unchanged; raises ValueError where a field of the dataclass `kind` has another type in it."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no JSON object")
    names = {field.name for field in dataclasses.fields(kind)}
    _, faults = typed_json.read(kind, {name: item for name, item in value.items() if name in names}, where)
    if faults:
        raise ValueError(faults[0])
    return value


def _metrics(path: epath.Path) -> dict[str, Any]:
    try:
        metrics = _checked(_Metrics, typed_json.loads(regular_files.read_bytes(path)), "it")
        for name, *_ in (*METRICS, *TILES):
            _, faults = typed_json.read(_Metric, metrics.get(name), f"it.{name}")
            if faults:
                raise ValueError(faults[0])
    except ValueError as error:
        raise UserError(f"{path}: {error}; run eval again") from error
    return metrics


@dataclasses.dataclass(frozen=True)
class RunData:
    """A run folder.

    Attributes:
      folder: where it is.
      config: the flags of train.
      manifest: of the records it was trained on.
      history: the lines of history.csv.
      throughput: the lines of throughput.csv.
      evaluations: one per evaluated split, by name.
      changed: when it last changed, seconds since 1970.
    """

    folder: epath.Path
    config: Train
    manifest: manifest_lib.Manifest
    history: list[history_lib.Epoch]
    throughput: list[history_lib.Throughput]
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
        raise run_dir_lib.no_run(folder)
    manifest = run_dir_lib.load_manifest(path)
    evaluations = [_evaluation(path, split, part) for split, part in files.finished(path)]
    changed = max(file.stat().mtime for file in (path / run_dir_lib.CONFIG_FILE, path / HISTORY_FILE,
                                                 *(e.folder / files.METRICS for e in evaluations)) if file.exists())
    return RunData(path, config, manifest, history_lib.read(path), history_lib.read_throughput(path), evaluations,
                   float(changed))


def _evaluation(run_dir: epath.Path, split: str, folder: epath.Path) -> Evaluation:
    metrics, weights = _metrics(folder / files.METRICS), run_dir / run_dir_lib.WEIGHTS_FILE
    recorded = metrics.get("weights_sha256")  # not of other weights than the best, nor from evaluations of before
    return Evaluation(split, metrics, folder, bool(recorded and weights.exists() and file_sha256(weights) != recorded))


def has_runs(folder: epath.PathLike) -> bool:
    """Whether a folder is no run itself but has some in it."""
    path = epath.Path(folder)
    return path.is_dir() and not (path / run_dir_lib.CONFIG_FILE).exists() and any(
        (below / run_dir_lib.CONFIG_FILE).exists() for below in path.iterdir())


def runs_in(folder: epath.PathLike, but: str = "") -> tuple[list[RunData], list[str]]:
    """The runs that are folders of `folder`, most recent first; and the names of those that could not be read.

    Args:
      but: name of a folder to pass over.

    Raises:
      OSError: there is no such folder.
    """
    runs, unreadable = [], []
    for path in sorted(epath.Path(folder).iterdir()):
        try:
            if path.name != but and (path / run_dir_lib.CONFIG_FILE).exists():
                runs.append(load(path))
        except (UserError, OSError):
            unreadable.append(path.name)
    return sorted(runs, key=lambda run: (-run.changed, run.name)), unreadable


def neighbours(run: RunData, count: int) -> tuple[list[RunData], list[str]]:
    """The runs beside `run`, most recent first, at most `count`; and the names of folders that could not be read."""
    folder = epath.Path(run.folder).resolve()
    runs, unreadable = runs_in(folder.parent, folder.name)
    return runs[:count], unreadable


def compared(run: RunData, compare: Sequence[str]) -> tuple[list[RunData], list[str]]:
    """What --compare asks for: a number of neighbours, or run folders in the order given.

    Raises:
      UserError: one of them is neither.
    """
    if len(compare) == 1 and compare[0].isdecimal():
        count = int(compare[0]) if len(compare[0]) < 10 else sys.maxsize
        return neighbours(run, count) if count else ([], [])
    runs = []
    for folder in compare:
        try:
            runs.append(load(folder))
        except (UserError, OSError) as error:
            reason = str(error).removeprefix(f"--run_dir={folder}: ")
            raise UserError(f"--compare={folder}: {reason}; expected a number of runs beside --run_dir, or run "
                            "folders separated by commas") from error
    return runs, []
