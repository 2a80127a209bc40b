"""The metrics of several evaluations of one split, a run a row."""

from collections.abc import Mapping, Sequence
from typing import Any

from records.format.manifest import Manifest
from tagger.evaluation.summary import definition
from tagger.reporting.markup import Html, tag
from tagger.reporting.metric_columns import METRICS, OF_CAPTIONS

OUTDATED = "These scores are of weights that the run has replaced by others since; run eval again."
OTHER_PHOTOS = "Not all were scored on the same photos: scores on different ones do not compare."


def metric_table(rows: Sequence[tuple[str, Mapping[str, Any]]], target: str, *, differences: bool = False) -> Html:
    """A table with the best of each column marked; of columns that no row has, nothing.

    Args:
      rows: name of the run and its metrics.json.
      target: "captions" or "tags", of all of them.
      differences: whether the first row is the run that the page is about, and shows how it differs from the second.
    """
    columns = [column for column in METRICS if is_shown(column[0], target)
               and any(metrics.get(column[0]) is not None for _, metrics in rows)]
    head = [tag("th", label, title=definition(name, target)) for name, label, *_ in columns]
    differences = differences and len(rows) > 1
    lines = []
    for i, (run, metrics) in enumerate(rows):
        cells = [tag("td", run)]
        for name, _, form, more_is_better in columns:
            value = metrics.get(name)
            known = [other[name] for _, other in rows if other.get(name) is not None]
            best = len(set(known)) > 1 and value == (max if more_is_better else min)(known)
            delta = _delta(value, rows[1][1].get(name), form) if differences and i == 0 else None
            cells.append(tag("td", "–" if value is None else form.format(value), delta,
                             class_="best" if best else None))
        lines.append(tag("tr", cells, class_="this" if differences and i == 0 else None))
    return tag("div", tag("table", tag("tr", tag("th", "run"), head), lines), class_="scroll")


def scored_alike(rows: Sequence[tuple[Manifest, Mapping[str, Any]]]) -> bool:
    """Whether evaluations of one split are of the same photos, as far as is known.

    Args:
      rows: manifest of the run's records and metrics.json.
    """
    return len({repr((metrics["images"], metrics.get("captions"), manifest.seed,
                      *(manifest.flags.get(flag) for flag in ("split_fractions", "split_lists"))))
                for manifest, metrics in rows}) <= 1


def is_shown(metric: str, target: str) -> bool:
    """Whether pages show a metric where photos have such references."""
    return target == "captions" or metric not in OF_CAPTIONS


def _delta(value: float | None, other: float | None, form: str) -> Html | None:
    if value is None or other is None:
        return None
    text = form.format(abs(value - other))
    sign = "±" if text.strip("0.,") == "" else "+" if value > other else "−"
    return tag("span", sign, text, class_="delta")
