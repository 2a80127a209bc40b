"""Examples as `records.index` has resolved them, read by any process that can open its file."""

import dataclasses
import itertools
import operator
import sqlite3
from collections.abc import Iterator

# The rows of a split's examples, those of merged images included.
OF_EXAMPLES = ("FROM {examples} example JOIN images ON images.example = example.id "
               "JOIN rows ON rows.image = images.id WHERE rows.reason IS NULL AND rows.left_out IS NULL")
_PART = "(SELECT * FROM images WHERE split = ? ORDER BY position LIMIT ? OFFSET ?)"


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """One example before its image is read again.

    Attributes:
      file_crc32c: checksum of the image file when it was checked.
      reencode: whether the pixels are stored as PNG rather than the file's own bytes.
      captions: (caption, words, tags) each; words and tags joined by spaces.
    """

    key: str
    height: int
    width: int
    file_crc32c: int
    reencode: bool
    stored_bytes: int
    captions: tuple[tuple[str, str, str], ...]


def planned(db: sqlite3.Connection, split: str, first: int = 0, count: int = -1) -> Iterator[Planned]:
    """`count` examples of a split from the `first` on, in the order of their positions; -1: all."""
    rows = db.execute(
        "SELECT example.id, example.key, example.height, example.width, example.file_crc32c, example.reencode, "
        f"example.stored_bytes, caption, words, tags {OF_EXAMPLES.format(examples=_PART)} "
        "ORDER BY example.position, seq", (split, count, first))
    for _, group in itertools.groupby(rows, key=operator.itemgetter(0)):
        found = list(group)
        _, key, height, width, crc32c, reencode, size, *_ = found[0]
        yield Planned(key, height, width, crc32c, bool(reencode), size, tuple([row[7:] for row in found]))
