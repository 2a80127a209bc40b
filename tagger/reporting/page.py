"""A run as one HTML page that needs nothing but itself: style, charts and pictures are inside."""

import base64
import dataclasses
import html
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from records.util.progress import duration
from tagger.evaluation import files
from tagger.evaluation.contact_sheets import RANKINGS
from tagger.evaluation.summary import definition, definitions
from tagger.reporting.charts import Series, line_chart
from tagger.reporting.data import Evaluation, RunData
from tagger.reporting.style import CSS

# (metric, heading, format, whether more is better).
_METRICS = (
    ("loss", "loss", "{:.3f}", False), ("bleu_1", "BLEU-1", "{:.1f}", True), ("bleu_4", "BLEU-4", "{:.1f}", True),
    ("rouge_l", "ROUGE-L", "{:.1f}", True), ("cider", "CIDEr-D", "{:.1f}", True), ("tag_f1", "tag F1", "{:.3f}", True),
    ("f1_at_5", "F1 at 5", "{:.3f}", True), ("mean_average_precision", "mAP", "{:.3f}", True),
    ("f1_at_threshold", "F1 at threshold", "{:.3f}", True),
    ("tag_calibration_error", "calibration error", "{:.3f}", False),
    ("distinct_captions", "distinct", "{:,.0f}", True))

_TILES = (("bleu_4", "BLEU-4", "{:.1f}"), ("cider", "CIDEr-D", "{:.1f}"), ("tag_f1", "tag F1", "{:.3f}"),
          ("f1_at_5", "F1 at 5 tags", "{:.3f}"), ("mean_average_precision", "mAP", "{:.3f}"))

_OF_CAPTIONS = ("bleu_1", "bleu_4", "rouge_l", "cider")  # of --target=tags they are of sequences, and only listed


def page(run: RunData, others: Sequence[RunData], unreadable: Sequence[str],
         examples: Mapping[str, tuple[list["Example"], list["Example"]]], versions: Mapping[str, str]) -> str:
    """The whole page.

    Args:
      run: what it is about.
      others: runs of the same folder, most recent first.
      unreadable: names of folders beside it that look like runs but could not be read.
      examples: split -> its worst and its best examples.
      versions: program -> version.
    """
    title = html.escape(run.name)
    parts = [_header(run), _training(run)]
    for evaluation in run.evaluations:
        parts.append(_evaluation(run, evaluation, others, examples.get(evaluation.split, ([], []))))
    if unreadable:
        parts.append(f'<p class="quiet">Left out of the comparison, not readable as runs: '
                     f'{html.escape(", ".join(unreadable))}.</p>')
    parts += [_configuration(run), _records(run), _facts("Versions", versions)]
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime())
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{CSS}</style></head>'
            f'<body><main>{"".join(parts)}<footer>Written by --mode=report on {made}.</footer></main></body></html>\n')


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


def data_url(data: bytes, kind: str) -> str:
    """Bytes as a URL that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _header(run: RunData) -> str:
    manifest = run.manifest
    backbone = f"{manifest.backbone.name} features" if manifest.backbone else "no features"
    line = (f"{html.escape(manifest.name)} · target {manifest.target} · {backbone} · "
            f"{run.config.vocabulary_size or manifest.vocabulary_size:,} words")
    tiles = []
    if run.best:
        tiles.append((f"{run.best.val_loss:.3f}", "validation loss"))
        if run.best.val_cider is not None:
            tiles.append((f"{run.best.val_cider:.1f}", "validation CIDEr-D"))
        tiles.append((f"{run.best.epoch} of {len(run.history)}", "best epoch"))
    if run.throughput:
        tiles.append((duration(sum(row["seconds"] for row in run.throughput)), "training"))
    if run.evaluations:
        chosen = run.evaluations[-1]
        tiles += [(form.format(chosen.metrics[name]), f"{label}, {chosen.split}") for name, label, form in _TILES
                  if chosen.metrics.get(name) is not None and _is_shown(name, manifest.target)]
    boxes = "".join(f'<div class="tile"><b>{value}</b><span>{html.escape(label)}</span></div>'
                    for value, label in tiles)
    return f'<h1>{html.escape(run.name)}</h1><p class="quiet">{line}</p><div class="tiles">{boxes}</div>'


def _training(run: RunData) -> str:
    if not run.best:
        return '<h2>Training</h2><p class="quiet">No epoch has finished yet.</p>'

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
        rates = Series("words per second", [row["epoch"] for row in run.throughput],
                       [row["tokens_per_s"] for row in run.throughput])
        charts.append(line_chart([rates], "epoch", "words per second", from_zero=True))
    return f'<h2>Training</h2><div class="charts">{"".join(charts)}</div>'


def _evaluation(run: RunData, evaluation: Evaluation, others: Sequence[RunData],
                examples: tuple[list[Example], list[Example]]) -> str:
    metrics = evaluation.metrics
    limited = f', only the first {metrics["limit"]:,} images' if metrics["limit"] else ""
    parts = [f'<h2>On {html.escape(evaluation.split)}: {metrics["images"]:,} images</h2>',
             f'<p class="quiet">{html.escape(metrics["weights"].capitalize())} weights, beam {metrics["beam_width"]}, '
             f'length penalty {metrics["length_penalty"]:g}{limited}.</p>',
             _comparison(run, evaluation, others), _all_metrics(metrics)]
    sheet = evaluation.picture(files.CONTACT_SHEET)
    if sheet:
        parts.append(f'<h3>Contact sheet</h3><img class="sheet" alt="Photos of {html.escape(evaluation.split)} with '
                     f'predictions and references" src="{data_url(sheet, "image/png")}">')
    reliability = evaluation.picture(files.RELIABILITY)
    if reliability:
        parts.append('<h3>Are the scores of tags probabilities?</h3><p class="quiet">Of the tags listed with a score, '
                     'the share that is right: a tag of any reference of the photo. Larger points are more tags.</p>'
                     f'<img width="480" alt="Share of right tags by score" src="{data_url(reliability, "image/png")}">')
    for heading, chosen in zip(("Worst", "Best"), examples, strict=True):
        if chosen:
            cards = "".join(map(_card, chosen))
            parts.append(f'<h3>{heading} by {RANKINGS[chosen[0].ranking][0]}</h3>'
                         f'<div class="examples">{cards}</div>')
    return "".join(parts)


def _comparison(run: RunData, evaluation: Evaluation, others: Sequence[RunData]) -> str:
    """A row per run that was evaluated on the same split: this one first, with its difference to the next."""
    rows = [(run, evaluation)] + [(other, one) for other in others for one in other.evaluations
                                  if one.split == evaluation.split]
    target = run.manifest.target
    names = [metric for metric in _METRICS if any(one.metrics.get(metric[0]) is not None for _, one in rows)
             and _is_shown(metric[0], target)]
    head = "".join(f'<th title="{html.escape(definition(name, target))}">{label}</th>' for name, label, *_ in names)
    lines = []
    for i, (one, scored) in enumerate(rows):
        cells = [f"<td>{html.escape(one.name)}</td>"]
        for name, _, form, more_is_better in names:
            value = scored.metrics.get(name)
            known = [s.metrics[name] for _, s in rows if s.metrics.get(name) is not None]
            best = len(set(known)) > 1 and value == (max if more_is_better else min)(known)
            cells.append(f'<td{" class=best" if best else ""}>' + ("–" if value is None else form.format(value))
                         + (_delta(value, rows[1][1].metrics.get(name), form) if i == 0 and len(rows) > 1 else "")
                         + "</td>")
        lines.append(f'<tr{" class=this" if i == 0 and len(rows) > 1 else ""}>{"".join(cells)}</tr>')
    note = ('<p class="quiet">Differences are to the next row, the most recent other run. Green: best of the column.'
            "</p>" if len(rows) > 1 else "")
    return f'<div class="scroll"><table><tr><th>run</th>{head}</tr>{"".join(lines)}</table></div>{note}'


def _delta(value: float | None, other: float | None, form: str) -> str:
    if value is None or other is None:
        return ""
    text = form.format(abs(value - other))
    sign = "±" if text.strip("0.,") == "" else "+" if value > other else "−"
    return f'<span class="delta">{sign}{text}</span>'


def _is_shown(metric: str, target: str) -> bool:
    return target == "captions" or metric not in _OF_CAPTIONS


def _all_metrics(metrics: Mapping[str, Any]) -> str:
    numbers = {name: value for name, value in metrics.items()
               if isinstance(value, int | float) and not isinstance(value, bool)}
    rows = "".join(f"<tr><td>{name}</td><td>{value:,.6g}</td></tr>" if isinstance(value, float) else
                   f"<tr><td>{name}</td><td>{value:,}</td></tr>" for name, value in numbers.items())
    defined = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(text)}</td></tr>"
                      for name, text in definitions(metrics["target"]).items())
    return (f'<details><summary>All numbers and what they mean</summary><table class="facts">{rows}</table>'
            f'<table class="facts">{defined}</table></details>')


def _card(example: Example) -> str:
    row = example.row
    label, form = RANKINGS[example.ranking]
    right = {tag for tags in row["reference_tags"] for tag in tags}
    tags = "".join(f'<li{" class=right" if tag in right else ""}>{html.escape(tag)}</li>' for tag in row["tags"])
    references = "".join(f"<li>{html.escape(text)}</li>" for text in row["references"])
    photo = (f'<img alt="{html.escape(row["image"])}" src="{data_url(example.photo, "image/jpeg")}">'
             if example.photo else "")
    return (f'<div class="example">{photo}<div><p class="said">{html.escape(row["caption"]) or "(no words)"}</p>'
            f'<ul class="tags">{tags}</ul><ul class="references">{references}</ul>'
            f'<p class="name">{html.escape(row["image"])} · {label} '
            f'{form.format(row[example.ranking])}</p></div></div>')


def _configuration(run: RunData) -> str:
    given = {field.name: getattr(run.config, field.name) for field in dataclasses.fields(run.config)}
    changed = {field.name: given[field.name] for field in dataclasses.fields(run.config)
               if given[field.name] != field.default}
    flags = [_flag(name, value) for name, value in changed.items()]
    command = shlex.join(["tagger", "--mode=train", *flags])
    rows = "".join(f"<tr><td>{name}</td><td>{html.escape(_text(value))}</td></tr>" for name, value in given.items())
    return (f'<h2>Configuration</h2><p>The command that trains it again, flags at their defaults left out:</p>'
            f"<pre>{html.escape(command)}</pre>"
            f'<details><summary>Every flag</summary><table class="facts">{rows}</table></details>')


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _flag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={_text(value)}"


def _records(run: RunData) -> str:
    manifest = run.manifest
    facts = {"name": manifest.name, "target": manifest.target}
    for name, split in manifest.splits.items():
        facts[name] = (f"{split.examples:,} images, {split.captions:,} captions, {split.tokens:,} tokens, "
                       f"{len(split.shards)} shards")
    facts["vocabulary"] = f"{manifest.vocabulary_size:,} entries, min_count {manifest.min_count}"
    if manifest.backbone:
        facts["backbone"] = (f"{manifest.backbone.name}, {manifest.backbone.feature_size:,} features, "
                             f"{manifest.backbone.preprocessing}, {manifest.backbone.precision}")
        facts["backbone weights"] = f"sha256 {manifest.backbone.weights_sha256[:16]}…"
    facts["left out"] = f"{manifest.rejected.total:,} rows rejected, {manifest.duplicates_merged:,} duplicates merged"
    facts["made with"] = ", ".join(f"{name} {version}" for name, version in manifest.created_with.items())
    return _facts("Records", facts)


def _facts(heading: str, facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(value))}</td></tr>"
                   for name, value in facts.items())
    return f'<h2>{heading}</h2><table class="facts">{rows}</table>'
