"""The fifth pipeline: words, tags and keywords of the train split, added up where the hash of each says.

    examples-SPLIT-PART ──► by word of a cell ──► cells-B          only where there are cells of keywords
    examples-train-PART ──► by word or tag ──► counts-B
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from records.beam.examples import Placed
from records.beam.grouping import gathered, spread, stable_hash
from records.beam.work_folder import WorkFolder
from records.ingest.planned import Text
from records.ingest.text_counts import Entry, TextCounts
from records.text.keywords import SpaceRule
from records.text.tag_vocabulary import TagRules

CELLS, COUNTS = "cells", "counts"


@dataclasses.dataclass(frozen=True)
class CountingJob:
    """What the steps of these pipelines have to know.

    Attributes:
      least: words and tags seen less often are only summed up, 0: all are kept.
    """

    work: WorkFolder
    buckets: int
    rules: TagRules
    least: int = 0


def _texts(name: str, job: CountingJob) -> Iterator[Text]:
    placed: Placed
    for placed in job.work.get(name):
        yield from placed.example.captions


def cells(name: str, job: CountingJob) -> Iterator[tuple[int, Any]]:
    """What the cells of keywords in a file of examples say about each word."""
    rule = SpaceRule()
    for text in _texts(name, job):
        if text.keywords == "":
            rule.add(text.caption)
    yield from spread(name, ((stable_hash(entry[0]), entry) for entry in rule.entries()), job.buckets)


def tally_cells(bucket: int, values: Iterable[Any], job: CountingJob) -> Iterator[tuple[int, Any]]:
    """Writes cells-BUCKET, whose summary is a tally of `SpaceRule`."""
    rule = SpaceRule()
    for entry in gathered(values):
        rule.add_entry(*entry)
    job.work.put(f"{CELLS}-{bucket:06d}", None, rule.tally)
    yield from ()


def counts(name: str, job: CountingJob) -> Iterator[tuple[int, Any]]:
    """The counts of a file of examples."""
    counted = TextCounts(job.rules)
    for text in _texts(name, job):
        counted.add(text)
    yield from spread(name, ((stable_hash(_owner(entry)), entry) for entry in counted.entries()), job.buckets)


def _owner(entry: Entry) -> str:
    """What all counts that decide about one another have in common: the word, or the tag as such."""
    kind, folded, form, _ = entry
    return folded if kind in ("rows", "base") else form


def add_up(bucket: int, values: Iterable[Any], job: CountingJob) -> Iterator[tuple[int, Any]]:
    """Writes counts-BUCKET: every count, and in its summary the sums of words too rare to be one."""
    total = Counter[tuple[str, str, str]]()
    for kind, folded, form, count in gathered(values):
        total[kind, folded, form] += count
    words = {form: count for (kind, _, form), count in total.items() if kind == "words"}
    tags = {folded: count for (kind, folded, _), count in total.items() if kind == "rows"}
    cut = [0, 0]
    kept = []
    for (kind, folded, form), count in total.items():
        if kind in ("rows", "base"):
            rare = tags.get(folded, 0) < job.least
        else:
            rare = kind != "spelling" and words.get(form, 0) < job.least
        if not rare:
            kept.append((kind, folded, form, count))
        elif kind in ("words", "tagged"):
            cut[kind == "tagged"] += count
    job.work.put(f"{COUNTS}-{bucket:06d}", kept, cut)
    yield from ()
