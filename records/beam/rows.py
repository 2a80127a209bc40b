"""The first pipeline: rows grouped by photo, photos checked, captions as words.

    pieces and split lists ──read──► (bucket of the photo's name, rows) ──group──► check_photos ──► photos-BUCKET

A bucket is what a worker holds at a time: some thousand photos with all their rows.
"""

import dataclasses
import functools
import itertools
import operator
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from flags.errors import UserError
from records.beam.crashing_photos import results_of_all
from records.beam.grouping import once, stable_hash
from records.beam.work_folder import WorkFolder
from records.images.extents import Extent
from records.ingest import rejections
from records.ingest.database_tables import ImageResult, ImageTask
from records.ingest.scan_worker import CRASHED, check_chunk
from records.ingest.splits import in_two_lists, listed_names
from records.sources import Row
from records.sources.pieces import Piece, read_piece

_AT_ONCE = 100_000  # rows that are held before they are given out
_SOURCE_BITS = 40  # a row's number is that of its piece, and its place there


@dataclasses.dataclass(frozen=True)
class SplitList:
    """One file of --split_lists; `number` follows those of the pieces."""

    number: int
    split: str
    file: str


@dataclasses.dataclass(frozen=True)
class RowsJob:
    """What the steps of this pipeline have to know.

    Attributes:
      buckets: how many groups the photos are divided into.
      max_words: captions with more are left out.
      unpack: whether photos inside archives are written to images_dir too.
    """

    work: WorkFolder
    buckets: int
    images_dir: str
    listed_dir: str
    max_words: int
    follow_links: bool
    unpack: bool


class PhotoRow(NamedTuple):
    """One row of a photo; the fields are those of the tables in records.ingest.database_tables."""

    seq: int
    caption: str
    place: str
    split: str | None
    keywords: str | None
    words: str
    tags: str
    reason: str | None


class Photo(NamedTuple):
    """One photo with all its rows.

    Attributes:
      first: the number of its first row, which orders photos as they appear.
      listed: the split that --split_lists gives it.
      extent: where it lies, of one inside an archive.
    """

    first: int
    key: str
    listed: str | None
    result: ImageResult
    rows: tuple[PhotoRow, ...]
    extent: Extent | None = None


class Bucket(NamedTuple):
    """What is in a file photos-BUCKET.

    Attributes:
      rejected: (number, image, row, reason) of rows that were no rows, and of names in lists that have no row.
    """

    photos: list[Photo]
    rejected: list[tuple[int, str, str, str]]


def source_of(seq: int) -> int:
    """The number of the piece or list that a row is of."""
    return seq >> _SOURCE_BITS


def read(task: Piece | SplitList, job: RowsJob) -> Iterator[tuple[int, Any]]:
    """The rows of a piece, or the names of a split list, by the bucket of their photo."""
    entries = _names(task, job) if isinstance(task, SplitList) else _rows(task)
    source = -1 if isinstance(task, SplitList) else task.source
    for part in itertools.count():
        by_bucket = defaultdict(list)
        for key, entry in itertools.islice(entries, _AT_ONCE):
            by_bucket[stable_hash(key) % job.buckets].append(entry)
        if not by_bucket:
            return
        for bucket, batch in by_bucket.items():
            yield bucket, ((task.number, part), source, batch)


def _rows(piece: Piece) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for seq, row in enumerate(read_piece(piece), piece.number << _SOURCE_BITS):
        if isinstance(row, Row):
            keywords = None if row.keywords is None else "\n".join(row.keywords)
            yield row.image, (row.image, seq, row.caption, row.where, row.split, keywords, row.extent)
        else:
            yield row.where, (None, seq, row.image, row.where, row.reason)


def _names(task: SplitList, job: RowsJob) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for key, file, line, split in listed_names(f"{task.split}={task.file}", job.listed_dir):
        yield key, (key, (task.number << _SOURCE_BITS) + line, split, file, line)


def check_photos(bucket: int, values: Iterable[tuple[Any, ...]], job: RowsJob) -> Iterator[tuple[int, Any]]:
    """Groups the rows of a bucket by photo, and looks at every photo; writes photos-BUCKET."""
    name = f"photos-{bucket:06d}"
    done = job.work.summary(name)
    if done is not None and not done["bad"]:  # of an earlier run; what was bad may have been mended
        return
    rows, bad, names = [], list[tuple[int, str, str, str]](), []
    count = Counter[int]()
    for _, source, batch in once(values):
        if source < 0:
            names += batch
            continue
        count[source] += len(batch)
        rows += [entry for entry in batch if entry[0] is not None]
        bad += [entry[1:] for entry in batch if entry[0] is None]
    listed = _listed(names)
    rows.sort()
    groups = [list(group) for _, group in itertools.groupby(rows, key=operator.itemgetter(0))]
    tasks = [ImageTask(number, group[0][0], tuple((seq, caption) for _, seq, caption, *_ in group), group[0][-1])
             for number, group in enumerate(groups)]
    photos = [_photo(group, result, listed) for group, result in zip(
        groups, results_of_all(tasks, functools.partial(_check, job), name, job.work), strict=True)]
    used = {photo.key for photo in photos}
    bad += [(seq, key, f"{os.path.basename(file)}:{line}", rejections.UNUSED_NAME)
            for key, seq, _, file, line in names if key not in used]
    good = [photo.result for photo in photos if photo.result.reason is None]
    job.work.put(name, Bucket(photos, bad), {
        "rows": {str(source): rows for source, rows in count.items()},
        "own_splits": any(row.split is not None for photo in photos for row in photo.rows),
        "bad": sum(photo.result.reason not in (None, CRASHED) for photo in photos),
        "photos": len(photos), "sizes": sorted({(r.height, r.width) for r in good if r.eighth_crc32c is None})})
    yield from ()


def _listed(names: list[Any]) -> dict[str, str]:
    listed: dict[str, str] = {}
    for key, _, split, file, line in sorted(names, key=operator.itemgetter(1)):
        if listed.setdefault(key, split) != split:
            raise UserError(in_two_lists(key, file, line, listed[key]))
    return listed


def _check(job: RowsJob, tasks: Sequence[ImageTask]) -> list[ImageResult]:
    return check_chunk(list(tasks), job.images_dir, job.max_words, job.follow_links, job.unpack)


def _photo(rows: list[Any], result: ImageResult, listed: dict[str, str]) -> Photo:
    texts = {seq: text for seq, *text in result.texts}
    return Photo(rows[0][1], rows[0][0], listed.get(rows[0][0]), result._replace(texts=()), tuple(
        PhotoRow(seq, caption, place, split, keywords, *texts.get(seq, ("", "", result.reason)))
        for _, seq, caption, place, split, keywords, _ in rows), rows[0][-1])
