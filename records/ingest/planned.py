"""Examples as `records.ingest.database` has resolved them, read by any process that can open its file."""

import dataclasses
import itertools
import operator
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from records.images.extents import Extent
from records.ingest.database_tables import extent_of

# The rows of a split's examples, those of merged images included.
OF_EXAMPLES = ("FROM images example JOIN images ON images.example = example.id JOIN rows ON rows.image = images.id "
               "WHERE example.split = ? AND rows.reason IS NULL AND rows.left_out IS NULL")


TEXT_COLUMNS = "caption, words, tags, keywords"


class Text(NamedTuple):
    """One row's text.

    Attributes:
      words, tags: joined by spaces.
      keywords: None for a caption; "" for a cell of keywords; else keywords that a list told apart, a line each.
    """

    caption: str
    words: str
    tags: str
    keywords: str | None

    @property
    def listed(self) -> list[str]:
        """The keywords that a list told apart; [] for a cell of them."""
        return self.keywords.split("\n") if self.keywords else []


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedExample:
    """One example before its image is read again.

    Attributes:
      file_crc32c: checksum of the image file when it was checked.
      reencode: whether the pixels are stored as PNG rather than the file's own bytes.
      extent: where the image lies inside an archive; None for a file under --images.
    """

    key: str
    height: int
    width: int
    file_crc32c: int
    reencode: bool
    stored_bytes: int
    captions: tuple[Text, ...]
    extent: Extent | None = None


def stored_bytes(example: PlannedExample, store_size: int = 0) -> int:
    """Bytes of an example's stored image, as IngestDatabase.split_counts has it: by the pixels where it is shrunk."""
    side = min(example.height, example.width)
    if not 1 <= store_size <= side:
        return example.stored_bytes
    return example.stored_bytes * store_size // side * store_size // side


def planned(db: sqlite3.Connection, split: str, first: bytes = b"") -> Iterator[PlannedExample]:
    """The examples of a split from the position `first` on, in the order of their positions."""
    rows = db.execute(
        "SELECT example.id, example.key, example.height, example.width, example.file_crc32c, example.reencode, "
        "example.stored_bytes, example.file, example.start, example.size, example.extent_crc32c, seq, "
        f"{TEXT_COLUMNS} {OF_EXAMPLES} AND example.position >= ? "
        "ORDER BY example.position", (split, first))
    for _, group in itertools.groupby(rows, key=operator.itemgetter(0)):
        texts = sorted(group, key=operator.itemgetter(11))  # only those of one image are sorted
        _, key, height, width, crc32c, reencode, size = texts[0][:7]
        yield PlannedExample(key, height, width, crc32c, bool(reencode), size,
                             tuple([Text._make(row[12:]) for row in texts]), extent_of(*texts[0][7:11]))
