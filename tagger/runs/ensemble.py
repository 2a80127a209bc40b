"""Several runs whose answers are averaged: loaded together, with a check that words, tags and features agree.

    runs = load_ensemble("runs/first", ensemble=("runs/second", "runs/third"))
    Decoder([run.model for run in runs], runs[0].vocabulary, runs[0].max_length)
"""

from collections.abc import Sequence

from flags.errors import UserError
from records.format import backbone_identity
from tagger.modeling.tag_calibration import TagCalibration
from tagger.runs.run_dir import Run, load_run

_REMEDY = "average only runs trained on the same records"


# How models compute, by --precision of eval and export.
_DTYPES = {"float32": {}, "mixed_bfloat16": {"compute_dtype": "bfloat16", "logits_dtype": "bfloat16"}}


def load_ensemble(run_dir: str, weights: str = "best", ensemble: Sequence[str] = (), precision: str = "float32"
                  ) -> list[Run]:
    """The run in `run_dir`, and after it those in `ensemble` with their best weights.

    Args:
      weights: of the run in `run_dir`, as in `load_run`.
      precision: "float32"; or "mixed_bfloat16", in which matrices are multiplied in bfloat16 and all else is float32.

    Raises:
      UserError: a run cannot be loaded, or its target, words, tags or features are not those of the first.
    """
    first = load_run(run_dir, weights, **_DTYPES[precision])
    runs = [first]
    for folder in ensemble:
        run = load_run(folder, flag="ensemble", **_DTYPES[precision])
        _check_same(run, first, f"--ensemble={folder}", f"--run_dir={run_dir}")
        runs.append(run)
    return runs


def calibrations(runs: Sequence[Run]) -> list[TagCalibration]:
    """The calibration of each run; [] where a run has none."""
    of_runs = [run.calibration for run in runs if run.calibration]
    return of_runs if len(of_runs) == len(runs) else []


def threshold(runs: Sequence[Run]) -> float | None:
    """The lowest score of a tag that is shown: the mean of the runs' best thresholds; None where a run has none."""
    thresholds = [calibration.best_f1 for calibration in calibrations(runs)]
    return sum(thresholds) / len(thresholds) if thresholds else None


def threshold_for(runs: Sequence[Run], precision: float) -> float | None:
    """The score from which on that share of the tags was right, the mean of the runs'; None where a run has none."""
    scores = [calibration.for_precision(precision) for calibration in calibrations(runs)]
    return sum(filter(None, scores)) / len(scores) if scores and None not in scores else None


def outcome(runs: Sequence[Run], least: float) -> tuple[float, float]:
    """Precision and recall on the validation split of the tags that reach a score; means of runs with calibrations."""
    of_runs = [calibration.outcome(least) for calibration in calibrations(runs)]
    precision, recall = (sum(numbers) / len(of_runs) for numbers in zip(*of_runs, strict=True))
    return precision, recall


def _check_same(run: Run, first: Run, where: str, expected_by: str) -> None:
    if run.manifest.target != first.manifest.target:
        raise UserError(f"{where}: writes {run.manifest.target}, {expected_by} writes {first.manifest.target}; "
                        f"{_REMEDY}")
    if run.vocabulary.words != first.vocabulary.words:
        raise UserError(f"{where}: has a vocabulary of {run.vocabulary.size:,} words that is not that of "
                        f"{expected_by}, of {first.vocabulary.size:,} words; {_REMEDY}")
    if run.tags != first.tags:
        raise UserError(f"{where}: has other tags than {expected_by}; {_REMEDY}")
    backbone_identity.check_same(run.manifest.backbone, first.manifest.backbone, where, expected_by, _REMEDY)
