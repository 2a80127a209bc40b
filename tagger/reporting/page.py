"""A run as one self-contained HTML page, with style, charts and pictures inside."""

import dataclasses
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from flags.flag_files import as_text
from records.util.counted import counted
from records.util.progress import duration
from tagger.evaluation import files
from tagger.evaluation.contact_sheets import RANKINGS
from tagger.evaluation.notes import notes
from tagger.evaluation.summary import definitions, right_tags
from tagger.reporting.charts import Series, line_chart
from tagger.reporting.data import Evaluation, RunData
from tagger.reporting.markup import Html, data_url, document, join, tag
from tagger.reporting.metric_columns import TILES
from tagger.reporting.metric_table import OTHER_PHOTOS, OUTDATED, is_shown, metric_table, scored_alike
from tagger.reporting.style import CSS


def page(run: RunData, others: Sequence[RunData], unreadable: Sequence[str],
         examples: Mapping[str, tuple[list["Example"], list["Example"]]], versions: Mapping[str, str]) -> Html:
    """The whole page.

    Args:
      run: what it is about.
      others: runs of the same folder, most recent first.
      unreadable: names of folders beside it that look like runs but could not be read.
      examples: split -> its worst and its best examples.
      versions: program -> version.
    """
    parts = [_header(run), _training(run)]
    for evaluation in run.evaluations:
        parts.append(_evaluation(run, evaluation, others, examples.get(evaluation.split, ([], []))))
    if unreadable:
        parts.append(tag("p", f"Left out of the comparison, not readable as runs: {', '.join(unreadable)}.",
                         class_="quiet"))
    parts += [_configuration(run), _records(run), _facts("Versions", versions)]
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    return document(run.name, CSS, tag("main", parts, tag("footer", f"Written by --mode=report on {made}.")))


@dataclasses.dataclass(frozen=True)
class Example:
    """One prediction to show.

    Attributes:
      row: its line of predictions.jsonl.
      photo: a small JPEG, or None where the photo is not at hand.
      ranking: name of the metric it was chosen by.
    """

    row: dict[str, Any]
    photo: bytes | None
    ranking: str


def _header(run: RunData) -> Html:
    manifest = run.manifest
    backbone = f"{manifest.backbone.name} features" if manifest.backbone else "no features"
    line = (f"{manifest.name} · target {manifest.target} · {backbone} · "
            f"{run.config.vocabulary_size or manifest.vocabulary_size:,} words")
    tiles = []
    if run.best:
        tiles.append((f"{run.best.val_loss:.3f}", "validation loss"))
        if run.best.val_cider is not None:
            tiles.append((f"{run.best.val_cider:.1f}", "validation CIDEr-D"))
        tiles.append((f"{run.best.epoch} of {len(run.history)}", "best epoch"))
    if run.throughput:
        tiles.append((duration(sum(row.seconds for row in run.throughput)), "training"))
    if run.evaluations:
        chosen = run.evaluations[-1]
        of = f", {counted(chosen.metrics['images'], 'photo')} of {chosen.split}"
        tiles += [(form.format(chosen.metrics[name]), label + of) for name, label, form in TILES
                  if chosen.metrics.get(name) is not None and is_shown(name, manifest.target)]
    boxes = [tag("div", tag("b", value), tag("span", label), class_="tile") for value, label in tiles]
    return join(tag("h1", run.name), tag("p", line, class_="quiet"), tag("div", boxes, class_="tiles"))


def _training(run: RunData) -> Html:
    if not run.best:
        return join(tag("h2", "Training"), tag("p", "No epoch has finished yet.", class_="quiet"))

    epochs, best = [row.epoch for row in run.history], run.best.epoch

    def series(name: str, attribute: str) -> Series:
        return Series(name, epochs, [getattr(row, attribute) for row in run.history])

    losses, scores = [series("validation", "val_loss")], []
    if run.best.val_cider is not None:
        scores.append(series("validation", "val_cider"))
    if run.best.reward is None:
        losses.insert(0, series("train", "loss"))
    else:
        scores.insert(0, series("sampled captions, train", "reward"))
    charts = [line_chart(scores, "epoch", "CIDEr-D, points", mark=best, width=1020)] if scores else []
    charts += [
        line_chart(losses, "epoch", "loss, nats per word", mark=best, width=1020),
        line_chart([series("learning rate", "learning_rate")], "epoch", "learning rate", log=True)]
    if run.throughput:
        rates = Series("words per second", [row.epoch for row in run.throughput],
                       [row.tokens_per_s for row in run.throughput])
        charts.append(line_chart([rates], "epoch", "words per second", from_zero=True))
    return join(tag("h2", "Training"), tag("div", charts, class_="charts"))


def _evaluation(run: RunData, evaluation: Evaluation, others: Sequence[RunData],
                examples: tuple[list[Example], list[Example]]) -> Html:
    metrics = evaluation.metrics
    limited = f', only the first {counted(metrics["limit"], "photo")}' if metrics["limit"] else ""
    parts = [tag("h2", f"On {evaluation.split}: {counted(metrics['images'], 'photo')}"),
             tag("p", f"{metrics['weights'].capitalize()} weights, beam {metrics['beam_width']}, length penalty "
                      f"{metrics['length_penalty']:g}{limited}.", class_="quiet"),
             *(tag("p", line) for line in [OUTDATED] * evaluation.outdated + notes(metrics)),
             _comparison(run, evaluation, others),
             tag("p", right_tags(metrics["target"]), class_="quiet"), _all_metrics(metrics)]
    sheet = evaluation.picture(files.CONTACT_SHEET)
    if sheet:
        parts += [tag("h3", "Contact sheet"),
                  tag("img", class_="sheet", alt=f"Photos of {evaluation.split} with predictions and references",
                      src=data_url(sheet, "image/png"))]
    reliability = evaluation.picture(files.RELIABILITY)
    if reliability:
        parts += [tag("h3", "Are the scores of tags probabilities?"),
                  tag("p", "Of the tags listed with a score, the share that is right: a tag of any reference of the "
                     "photo. Larger points are more tags. Near the dashed line scores can be believed, which says "
                     "nothing of how good the tags are: a model that gives every photo the same tags lies there too. "
                     "The Brier skill score tells, 0 for such a model and 1 for a perfect one.", class_="quiet"),
                  tag("img", width=480, alt="Share of right tags by score", src=data_url(reliability, "image/png"))]
    for heading, chosen in zip(("Worst", "Best"), examples, strict=True):
        if chosen:
            parts += [tag("h3", f"{heading} by {RANKINGS[chosen[0].ranking][0]}"),
                      tag("div", map(_card, chosen), class_="examples")]
    return join(parts)


def _comparison(run: RunData, evaluation: Evaluation, others: Sequence[RunData]) -> Html:
    """A table of the runs evaluated on this split: first `run`, with its differences to the next."""
    rows = [(run.name, evaluation.metrics), *((other.name, scored.metrics) for other in others
                                              for scored in other.evaluations if scored.split == evaluation.split)]
    alike = scored_alike([(run.manifest, evaluation.metrics), *(
        (other.manifest, scored.metrics) for other in others for scored in other.evaluations
        if scored.split == evaluation.split)])
    note = tag("p", "Differences are to the next row, the most recent other run. Green: best of the column."
               + ("" if alike else f" {OTHER_PHOTOS}"), class_="quiet") if len(rows) > 1 else None
    return join(metric_table(rows, run.manifest.target, differences=True), note)


def _all_metrics(metrics: Mapping[str, Any]) -> Html:
    numbers = {name: value for name, value in metrics.items()
               if isinstance(value, int | float) and not isinstance(value, bool)}
    shown = {name: f"{round(value, 6):,.6g}" if isinstance(value, float) else f"{value:,}"
             for name, value in numbers.items()}
    return tag("details", tag("summary", "All numbers and what they mean"), _table(shown),
               _table(definitions(metrics["target"])))


def _card(example: Example) -> Html:
    row = example.row
    label, form = RANKINGS[example.ranking]
    right = {name for names in row["reference_tags"] for name in names}
    photo = tag("img", alt=row["image"], src=data_url(example.photo, "image/jpeg")) if example.photo else None
    return tag("div", photo, tag(
        "div", tag("p", row["caption"] or "(no words)", class_="said"),
        tag("ul", [tag("li", name, class_="right" if name in right else None) for name in row["tags"]], class_="tags"),
        tag("ul", [tag("li", text) for text in row["references"]], class_="references"),
        tag("p", f"{row['image']} · {label} {form.format(row[example.ranking])}", class_="name")), class_="example")


def _configuration(run: RunData) -> Html:
    given = {field.name: getattr(run.config, field.name) for field in dataclasses.fields(run.config)}
    changed = {field.name: given[field.name] for field in dataclasses.fields(run.config)
               if given[field.name] != field.default}
    again = {"run_dir": f"{run.config.run_dir.rstrip('/')}_again"}
    flags = [_flag(name, value) for name, value in {**changed, **again}.items()]
    command = shlex.join(["tagger", "--mode=train", *flags])
    every = {name: as_text(value) for name, value in given.items()}
    return join(tag("h2", "Configuration"),
                tag("p", "The command that trains such a run again, in a folder of its own; flags at their defaults "
                    "are left out, but for --batch_size:"), tag("pre", command),
                tag("details", tag("summary", "Every flag"), _table(every)))


def _flag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={as_text(value)}"


def _records(run: RunData) -> Html:
    manifest = run.manifest
    facts = {"name": manifest.name, "target": manifest.target}
    for name, split in manifest.splits.items():
        facts[name] = ", ".join(counted(number, noun) for number, noun in (
            (split.examples, "example"), (split.captions, "caption"), (split.tokens, "token"),
            (len(split.shards), "shard")))
    facts["vocabulary"] = f"{manifest.vocabulary_size:,} entries, min_count {manifest.min_count}"
    if manifest.backbone:
        facts["backbone"] = (f"{manifest.backbone.name}, {manifest.backbone.feature_size:,} features, "
                             f"{manifest.backbone.preprocessing}, {manifest.backbone.precision}")
        facts["backbone weights"] = f"sha256 {manifest.backbone.weights_sha256[:16]}…"
    facts["left out"] = (f"{counted(manifest.rejected.total, 'row')} rejected, "
                         f"{counted(manifest.duplicates_merged, 'duplicate')} merged")
    facts["made with"] = ", ".join(f"{name} {version}" for name, version in manifest.created_with.items())
    return _facts("Records", facts)


def _facts(heading: str, facts: Mapping[str, str]) -> Html:
    return join(tag("h2", heading), _table(facts))


def _table(facts: Mapping[str, str]) -> Html:
    return tag("table", [tag("tr", tag("td", name), tag("td", value)) for name, value in facts.items()], class_="facts")
