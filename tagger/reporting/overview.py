"""All runs of a folder as one self-contained HTML page: a table, their curves, and what each was given."""

import dataclasses
import time
from collections.abc import Sequence

from flags.flag_files import as_text
from records.util.counted import counted
from records.util.progress import duration
from tagger.evaluation.notes import FEW_PHOTOS
from tagger.reporting.charts import Series, line_chart
from tagger.reporting.data import RunData
from tagger.reporting.markup import Html, document, join, tag
from tagger.reporting.metric_table import OTHER_PHOTOS, OUTDATED, metric_table, scored_alike
from tagger.reporting.style import CSS

_REMARK_ON_FEW = "Below a hundred photos scores mean little, as every photo moves them."
_OF_A_RUN = {"run_dir", "fresh"}  # flags that say nothing about what was tried


def overview(name: str, runs: Sequence[RunData], unreadable: Sequence[str]) -> Html:
    """The whole page.

    Args:
      name: of the folder.
      runs: what it is about, in the order of the rows; those without an epoch or an evaluation too.
      unreadable: names of folders that look like runs but could not be read.
    """
    parts = [tag("h1", name), tag("p", f"{counted(len(runs), 'run')}, the latest first.", class_="quiet"),
             _training(runs)]
    evaluations = [scored for run in runs for scored in run.evaluations]
    for split, target in sorted({(scored.split, scored.metrics["target"]) for scored in evaluations}):
        parts += _evaluations(runs, split, target)
    if unreadable:
        parts.append(tag("p", f"Left out, not readable as runs: {', '.join(unreadable)}.", class_="quiet"))
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    return document(name, CSS, tag("main", parts, tag("footer", f"Written by --mode=report on {made}.")))


def _training(runs: Sequence[RunData]) -> Html:
    flags = _different_flags(runs)
    scored = any(run.best and run.best.val_cider is not None for run in runs)
    comparable = all(run.manifest == runs[0].manifest for run in runs)
    losses = {run.best.val_loss for run in runs if run.best}
    best_loss = min(losses) if comparable and len(losses) > 1 else None
    rows = []
    for run in runs:
        best = run.best
        cells = [tag("td", run.name),
                 tag("td", f"{best.val_loss:.3f}" if best else "–",
                     class_="best" if best and best.val_loss == best_loss else None)]
        if scored:
            cells.append(tag("td", f"{best.val_cider:.1f}" if best and best.val_cider is not None else "–"))
        cells += [tag("td", f"{best.epoch} of {len(run.history)}" if best else "no epoch yet"),
                  tag("td", duration(sum(row.seconds for row in run.throughput)) if run.throughput else "–")]
        rows.append(tag("tr", cells, [tag("td", as_text(getattr(run.config, flag)) or "–") for flag in flags]))
    head = ["run", "validation loss", *["validation CIDEr-D"] * scored, "best epoch", "training",
            *(f"--{flag}" for flag in flags)]
    return join(
        tag("h2", "Training"), tag("div", tag("table", tag("tr", [tag("th", cell) for cell in head]), rows),
                                   class_="scroll"),
        tag("p", "Each at its best epoch" + ("; beside it the flags in which these runs differ." if flags else
                                             "; no flag differs among these runs.") + (
            "" if comparable else " Not all learnt from the same records: losses of different ones do not compare."),
            class_="quiet"),
        tag("div", _curves(runs, "val_loss", "validation loss, nats per word"),
            _curves(runs, "val_cider", "validation CIDEr-D, points") if scored else None, class_="charts"))


def _curves(runs: Sequence[RunData], attribute: str, label: str) -> Html:
    series = []
    for run in runs:
        points = [(row.epoch, value) for row in run.history if (value := getattr(row, attribute)) is not None]
        if points:
            series.append(Series(run.name, [x for x, _ in points], [y for _, y in points]))
    return line_chart(series, "epoch", label, width=1020)


def _evaluations(runs: Sequence[RunData], split: str, target: str) -> list[Html]:
    found = [(run, scored.metrics) for run in runs for scored in run.evaluations
             if (scored.split, scored.metrics["target"]) == (split, target)]
    rows = [(run.name, metrics) for run, metrics in found]
    outdated = [run.name for run in runs for scored in run.evaluations
                if (scored.split, scored.metrics["target"]) == (split, target) and scored.outdated]
    remarks = [f"Of {', '.join(outdated)}: {OUTDATED}"] * bool(outdated)
    remarks += [_REMARK_ON_FEW] * any(metrics["images"] < FEW_PHOTOS for _, metrics in rows)
    remarks += [OTHER_PHOTOS] * (not scored_alike([(run.manifest, metrics) for run, metrics in found]))
    numbers = sorted({metrics["images"] for _, metrics in rows})
    photos = counted(numbers[0], "photo") if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,} photos"
    return [tag("h2", f"On {split}: {photos}"), metric_table(rows, target),
            *(tag("p", remark, class_="quiet") for remark in remarks)]


def _different_flags(runs: Sequence[RunData]) -> list[str]:
    """Flags of train that have several values among the runs, in the order of --help."""
    return [field.name for field in dataclasses.fields(runs[0].config) if field.name not in _OF_A_RUN
            and len({getattr(run.config, field.name) for run in runs}) > 1]
