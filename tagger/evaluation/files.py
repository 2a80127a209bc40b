"""The files of RUN_DIR/eval-SPLIT, the folder that an evaluation writes."""

from collections.abc import Iterator

from etils import epath

METRICS = "metrics.json"  # written last
PREDICTIONS = "predictions.jsonl"
CONTACT_SHEET = "contact_sheet.png"
WORST_AND_BEST = "worst_and_best.png"
RELIABILITY = "reliability.png"
_PREFIX = "eval-"


def folder_of(run_dir: epath.PathLike, split: str) -> epath.Path:
    """Where the evaluation of a split goes."""
    return epath.Path(run_dir) / f"{_PREFIX}{split}"


def folders(run_dir: epath.PathLike) -> list[epath.Path]:
    """Those of all evaluations."""
    return [path for path in epath.Path(run_dir).glob(f"{_PREFIX}*") if path.is_dir()]


def finished(run_dir: epath.PathLike) -> Iterator[tuple[str, epath.Path]]:
    """The split and the folder of each evaluation that was finished, by name."""
    for path in sorted(epath.Path(run_dir).glob(f"{_PREFIX}*/{METRICS}")):
        yield path.parent.name.removeprefix(_PREFIX), path.parent
