"""The third and fourth pipelines: duplicate groups become examples, and all examples lie in their order.

    photos-B with twins ──► by group ──► merged-M           only where there are twins
    photos-B, merged-M ──► by split and position ──► examples-SPLIT-PART, rejected-SOURCE, duplicates-SOURCE

Positions are hashes, so that equal parts of their range hold about as many examples each.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from records.beam.grouping import gathered, spread, stable_hash
from records.beam.rows import Bucket, Photo, source_of
from records.beam.work_folder import WorkFolder
from records.ingest.deduplication import GroupRow, resolve_group
from records.ingest.planned import PlannedExample, Text, stored_bytes
from records.ingest.splits import Splitter
from records.text.keywords import SEPARATORS

EXAMPLES, REJECTED, DUPLICATES = "examples", "rejected", "duplicates"
_POSITION_BITS = 32  # of a position that say which part it is in


@dataclasses.dataclass(frozen=True)
class ExamplesJob:
    """What the steps of these pipelines have to know.

    Attributes:
      parts: how many files the examples of a split are divided into.
      splitter: of rows, where `by_lists` is not set.
      by_lists: whether an image's split is that of a split list.
      store_size: short side that stored images are shrunk to, if any.
    """

    work: WorkFolder
    parts: int
    splitter: Splitter
    by_lists: bool
    seed: int
    store_size: int


class Placed(NamedTuple):
    """An example and where it belongs; `fields` are those of a PlannedExample."""

    split: str
    position: bytes
    fields: tuple[Any, ...]

    @property
    def example(self) -> PlannedExample:
        return PlannedExample(*self.fields)


class Resolved(NamedTuple):
    """What becomes of some photos.

    Attributes:
      rejected: (number, image, row, reason) of rows in no example.
      duplicates: (number, image, kept as, split) of images whose rows went to the example of another.
    """

    examples: list[Placed]
    rejected: list[tuple[int, str, str, str]]
    duplicates: list[tuple[int, str, str, str]]


def _resolve(photos: Sequence[Photo], job: ExamplesJob, into: Resolved) -> None:
    """What becomes of one duplicate group; `photos` in the order of their first rows."""
    listed = {photo.key: photo.listed for photo in photos}

    def split_of(key: str, row_split: str | None) -> str | None:
        return listed[key] if job.by_lists else job.splitter.split_of(key, row_split, job.seed)

    rows = [(photo, row) for photo in photos for row in photo.rows if row.reason is None]
    group = resolve_group([GroupRow(photo.first, photo.key, row.seq, row.caption, row.place, row.split, None, None)
                           for photo, row in rows], split_of, job.seed)
    left_out = {seq: reason for reason, _, seq in group.left_out}
    into.rejected.extend((row.seq, photo.key, row.place, left_out[row.seq]) for photo, row in rows
                         if row.seq in left_out)
    by_first = {photo.first: photo for photo in photos}
    for example, split, position, _ in group.images:
        if split is not None and position is not None:
            kept, kept_in = by_first[example], split
            texts = [Text(row.caption, row.words, row.tags, row.keywords)
                     for _, row in sorted(rows, key=lambda pair: pair[1].seq) if row.seq not in left_out]
            r = kept.result
            into.examples.append(Placed(split, position, (kept.key, r.height, r.width, r.file_crc32c, r.reencode,
                                                          r.stored_bytes, tuple(texts), kept.extent)))
    into.duplicates.extend((image, by_first[image].key, kept.key, kept_in) for example, _, _, image in group.images
                           if image != example)


def twins_of(name: str, job: ExamplesJob) -> Iterator[tuple[int, Any]]:
    """The photos of a bucket that have twins, by their group. `name` is of its file twins-BUCKET."""
    number = name.rpartition("-")[2]
    groups: dict[str, bytes] = job.work.get(name)
    photos: list[Photo] = job.work.get(f"photos-{number}").photos
    with_twins = ((groups[photo.key], photo) for photo in photos if photo.key in groups)
    yield from spread(number, ((stable_hash(group), (group, photo)) for group, photo in with_twins), job.parts)


def merge(part: int, values: Iterable[Any], job: ExamplesJob) -> Iterator[tuple[int, Any]]:
    """Resolves duplicate groups of several photos; writes merged-PART."""
    groups = defaultdict(list)
    for group, photo in gathered(values):
        groups[group].append(photo)
    resolved = Resolved([], [], [])
    for photos in groups.values():
        _resolve(sorted(photos), job, resolved)
    job.work.put(f"merged-{part:06d}", resolved, {})
    yield from ()


def resolved(name: str, job: ExamplesJob) -> Iterator[tuple[int, Any]]:
    """What becomes of the photos of photos-BUCKET that have no twins, or of those of merged-PART; by its place."""
    if name.startswith("merged-"):
        found: Resolved = job.work.get(name)
    else:
        bucket: Bucket = job.work.get(name)
        twins = f"twins-{name.rpartition('-')[2]}"
        groups = job.work.get(twins) if job.work.summary(twins) is not None else {}
        found = Resolved([], list(bucket.rejected), [])
        for photo in bucket.photos:
            if photo.key not in groups:
                _resolve([photo], job, found)
            found.rejected.extend((row.seq, photo.key, row.place, row.reason) for row in photo.rows
                                  if row.reason is not None)
    batches = defaultdict(list)
    for placed in found.examples:
        part = int.from_bytes(placed.position[:_POSITION_BITS // 8], "big") * job.parts >> _POSITION_BITS
        batches[EXAMPLES, placed.split, part].append(placed)
    for kind, entries in ((REJECTED, found.rejected), (DUPLICATES, found.duplicates)):
        for entry in entries:
            batches[kind, "", source_of(entry[0])].append(entry)  # type: ignore[arg-type]
    for place, batch in batches.items():
        yield stable_hash(repr(place)), (name, place, batch)


def write_in_order(key: int, values: Iterable[Any], job: ExamplesJob) -> Iterator[tuple[int, Any]]:
    """Writes the file of each place, its entries in order, and what is to be known of all of them."""
    places: dict[tuple[str, str, int], list[Any]] = defaultdict(list)
    for _, place, batch in sorted({value[:2]: value for value in values}.values(), key=lambda value: value[:2]):
        places[place] += batch
    for (kind, split, number), entries in places.items():
        entries.sort()
        if kind == EXAMPLES:
            texts = [text for placed in entries for text in placed.example.captions]
            cells = [text.caption for text in texts if text.keywords == ""]
            size = sum(stored_bytes(placed.example, job.store_size) for placed in entries)
            job.work.put(f"{kind}-{split}-{number:06d}", entries, {
                "split": split, "count": len(entries), "bytes": size,
                "rows": len(texts), "keyword_rows": sum(text.keywords is not None for text in texts),
                "cells": len(cells), "separated": any(map(SEPARATORS.search, cells))})
        else:
            job.work.put(f"{kind}-{number:06d}", entries, {"count": len(entries)})
    yield from ()
