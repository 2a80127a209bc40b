"""Definitions of the metrics, and the table of an evaluation."""

from collections.abc import Mapping
from typing import Any

from records.util.counted import counted
from tagger.evaluation.notes import notes

# Definition of each metric; metrics with a common definition share an entry.
_DEFINITIONS = {
    ("loss",): "mean cross-entropy in nats per real token (words and <end>), teacher-forced",
    ("perplexity",): "exp(loss)",
    ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        "points, as papers print them: pycocoevalcap's values times 100; for --target=tags, of tag sequences",
    ("images_without_reference",):
        "photos left out of those, as they have no reference with a word (of --target=tags: no tag of tags.txt)",
    ("tag_precision", "tag_recall", "tag_f1"):
        "fractions; tags of the predicted caption against the union of the tags of the photo's captions, counts "
        "pooled over photos",
    ("precision_at_5", "recall_at_5", "f1_at_5"):
        "fractions; first five ranked tags against the tags that at least two captions of the photo contain (of an "
        "only caption, or of a list of keywords: all), counts pooled over photos",
    ("images_without_shared_tags",): "photos without such a tag: their precision at 5 is 0",
    ("mean_average_precision",):
        "fraction; mean over the train split's 200 most frequent tags of the average precision of ranking the photos "
        "by the tag's score, relevant where two captions contain the tag, or an only one",
    ("chance_average_precision",):
        "what the mean average precision would be, on average, if the photos were ranked at random: far from 0 where "
        "they are few",
    ("average_precision_tags",): "how many of those tags have a relevant photo in this split",
    ("tag_calibration_error",):
        "mean difference between the scores of the listed tags and the share of them that is right, a tag of any "
        "reference, in ten bins by score",
    ("tag_skill_score",):
        "Brier skill score of the listed tags' scores: 1 is perfect, 0 no better than giving every photo each tag's "
        "share of the other photos, which has a calibration error near 0 too",
    ("tag_reliability",): "those bins: mean score, share that is right, tags",
    ("threshold", "precision_at_threshold", "recall_at_threshold", "f1_at_threshold", "tags_at_threshold"):
        "the score with the best F1 on the validation split; of the listed tags that reach it against the tags of any "
        "reference, counts pooled over photos; how many a photo has",
    ("distinct_captions", "distinct_share", "distinct_words"):
        "different captions predicted, that over photos, and different words in them",
    ("captions_without_words",): "photos whose caption has no words: the model ended it at once",
    ("seen_in_training",): "fraction of photos whose caption is, word for word, a caption of the train split",
    ("changed_captions", "compared_captions"):
        "photos that are answered otherwise than with --precision=float32, of so many at the beginning of the split",
}

# Definitions that differ where photos have lists of tags in place of captions.
_OF_TAGS = {
    ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider"):
        "points: pycocoevalcap's values times 100, of the sequence of tags that is written",
    ("tag_precision", "tag_recall", "tag_f1"):
        "fractions; the tags that are written against all tags of the photo, counts pooled over photos",
    ("precision_at_5", "recall_at_5", "f1_at_5"):
        "fractions; first five ranked tags against the photo's tags (of several lists, those in at least two), counts "
        "pooled over photos",
    ("mean_average_precision",):
        "fraction; mean over the train split's 200 most frequent tags of the average precision of ranking the photos "
        "by the tag's score",
    ("distinct_captions", "distinct_share", "distinct_words"):
        "different sequences of tags written, that over photos, and different tags in them",
    ("captions_without_words",): "photos for which no tag was written: the model ended the list at once",
    ("seen_in_training",): "fraction of photos whose sequence of tags is one of the train split",
}


def _definitions(target: str) -> dict[tuple[str, ...], str]:
    return _DEFINITIONS | (_OF_TAGS if target == "tags" else {})


def definitions(target: str) -> dict[str, str]:
    """The definition of each metric, by name; metrics with a common definition are one key, separated by commas.

    For target "tags", definitions that do not mention captions.
    """
    return {", ".join(names): text for names, text in _definitions(target).items()}


def definition(metric: str, target: str) -> str:
    """The definition of one metric; KeyError where it has none."""
    return {name: text for names, text in _definitions(target).items() for name in names}[metric]


_Column = tuple[str, list[tuple[str, str, str]]]  # heading, [(metric, label, format)]
_RANKED: list[_Column] = [
    ("ranked tags", [("precision_at_5", "precision at 5", "{:.3f}"), ("recall_at_5", "recall at 5", "{:.3f}"),
                     ("f1_at_5", "F1 at 5", "{:.3f}"), ("mean_average_precision", "mean avg. precision", "{:.3f}"),
                     ("f1_at_threshold", "F1 at threshold", "{:.3f}"),
                     ("tag_calibration_error", "calibration error", "{:.3f}"),
                     ("tag_skill_score", "Brier skill score", "{:.3f}")])]


def _model(distinct: str) -> _Column:
    return ("model", [("loss", "loss", "{:.4f}"), ("perplexity", "perplexity", "{:.2f}"),
                      ("distinct_captions", "distinct", "{:,}"), ("distinct_words", distinct, "{:,}"),
                      ("seen_in_training", "seen in training", "{:.1%}")])


def _written(heading: str) -> _Column:
    return (heading, [("tag_precision", "precision", "{:.3f}"), ("tag_recall", "recall", "{:.3f}"),
                      ("tag_f1", "F1", "{:.3f}")])


# By --target.
_COLUMNS: dict[str, list[_Column]] = {
    "captions": [
        ("caption", [("bleu_1", "BLEU-1", "{:.1f}"), ("bleu_2", "BLEU-2", "{:.1f}"), ("bleu_3", "BLEU-3", "{:.1f}"),
                     ("bleu_4", "BLEU-4", "{:.1f}"), ("rouge_l", "ROUGE-L", "{:.1f}"),
                     ("cider", "CIDEr-D", "{:.1f}")]),
        _written("tags in the caption"), *_RANKED, _model("words used")],
    "tags": [*_RANKED, _written("written tags"), _model("tags used")]}


_OF_WRITTEN = {"distinct_captions", "distinct_words", "seen_in_training"}  # mean nothing where no word was written


def table(values: Mapping[str, Any]) -> str:
    """The metrics in columns, for a terminal of 100 characters; a dash stands for what is not defined."""
    columns = []
    nothing_written = values.get("captions_without_words") == values["images"]
    for heading, metrics in _COLUMNS[values["target"]]:
        undefined = {name for name, _, _ in metrics
                     if values[name] is None or nothing_written and name in _OF_WRITTEN}
        cells = [(label, "–" if name in undefined else form.format(values[name])) for name, label, form in metrics]
        label_width = max(len(label) for label, _ in cells)
        value_width = max(len(value) for _, value in cells)
        lines = [f"{label:<{label_width}}  {value:>{value_width}}" for label, value in cells]
        width = max(len(heading), len(lines[0]))
        columns.append([f"{line:<{width}}" for line in (heading, "─" * width, *lines)])
    height = max(map(len, columns))
    for column in columns:
        column += [" " * len(column[0])] * (height - len(column))
    return "\n".join("  " + "   ".join(parts).rstrip() for parts in zip(*columns, strict=True))


def right_tags(target: str) -> str:
    """When a tag counts as right, which is not the same for all numbers; "" where photos have lists of tags."""
    return "" if target == "tags" else (
        "At 5, and in mean avg. precision, a tag is right where two captions of the photo have it (or its only one);\n"
        "in the caption, at threshold and on contact_sheet.png where any caption has it.")


def summary(values: Mapping[str, Any], run_dir: str) -> str:
    """A heading that says what was evaluated, the table, and what to know of its numbers."""
    rule = right_tags(values["target"])
    runs = run_dir + (f" with {', '.join(values['ensemble'])}" if values["ensemble"] else "")
    return (f"\n{runs}: {counted(values['images'], 'photo')} of {values['split']}, {values['weights']} weights, beam "
            f"{values['beam_width']}, length penalty {values['length_penalty']:g}{_without(values)}\n\n"
            f"{table(values)}\n" + "".join(f"\n{line}\n" for line in (*filter(None, [rule]), *notes(values))))


def _without(values: Mapping[str, Any]) -> str:
    count = values["images_without_reference"]
    return f"; {count:,} of them have no reference" if count else ""
