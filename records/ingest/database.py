"""The input of make_records in an SQLite file: however many rows there are, memory stays flat.

It is filled in steps. A restarted run finds the table read and the photos checked as far as they were:

    database.ingest(rows)                              every row of the caption table
    database.unchecked(), database.check()             what is in each photo; the words and tags of each caption
    database.look_alikes(), database.tell_apart()      which photos have the same pixels: a duplicate group
    database.resolve(splitter, seed)                   one example per group, in one split; repeated captions left out
    database.count_words(...)                          words of the train split
    database.examples(split)                           examples in the order of a seeded hash of their keys
"""

import functools
import hashlib
import itertools
import operator
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from records.images.validation import PixelHash
from records.ingest.database_tables import (
    BY_EXAMPLE,
    EXTENT_COLUMNS,
    HASH_COLUMNS,
    IN_ORDER,
    SCHEMA,
    ImageResult,
    ImageTask,
    LookAlike,
    extent_of,
)
from records.ingest.deduplication import GroupRow, held_out_first, resolve_group
from records.ingest.planned import OF_EXAMPLES, TEXT_COLUMNS, PlannedExample, Text, planned
from records.ingest.splits import Splitter
from records.sources import BadRow, Row

# A version of this program with other tables leaves this one's file alone.
FILE = f"index-{hashlib.sha256(SCHEMA.encode()).hexdigest()[:8]}.sqlite"

_BATCH = 500  # rows that are stored, or duplicate groups that are resolved, by one statement
_OF_IMAGE = operator.itemgetter(slice(6))


class IngestDatabase:
    """The SQLite file at `path`, which belongs to `inputs`: one that belongs to others is emptied.

    Args:
      inputs: names all that the steps up to `check` depend on, such as the hash of the caption table.
    """

    def __init__(self, path: str, inputs: str):
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        if not self._one("SELECT count(*) FROM sqlite_master WHERE name = 'facts'"):
            self._db.executescript(f"BEGIN; {SCHEMA} COMMIT;")
        if self._fact("inputs") != inputs:
            self._db.execute("BEGIN")
            for table in ("facts", "rows", "bad_rows", "images"):
                self._db.execute(f"DELETE FROM {table}")
            self._db.execute("INSERT INTO facts VALUES ('inputs', ?)", (inputs,))
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

    def _one(self, query: str, arguments: Sequence[Any] = ()) -> Any:
        return self._db.execute(query, arguments).fetchone()[0]

    def _fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def ingest(self, rows: Iterable[Row | BadRow]) -> None:
        """Stores every row, in order. Nothing is read from `rows` when an earlier run stored them all."""
        if self._fact("rows"):
            return
        db, numbered = self._db, enumerate(rows)
        db.execute("BEGIN")
        while batch := list(itertools.islice(numbered, _BATCH)):
            good = [(seq, row) for seq, row in batch if isinstance(row, Row)]
            db.executemany("INSERT INTO bad_rows VALUES (?, ?, ?, ?)",
                           [(seq, row.image, row.where, row.reason) for seq, row in batch if isinstance(row, BadRow)])
            db.executemany(f"INSERT OR IGNORE INTO images (key, {EXTENT_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
                           [(key, *(extent or (None,) * 4))
                            for key, extent in {row.image: row.extent for _, row in good}.items()])
            db.executemany("INSERT INTO rows (image, seq, caption, place, split, keywords) "
                           "SELECT id, ?, ?, ?, ?, ? FROM images WHERE key = ?",
                           [(seq, row.caption, row.where, row.split,
                             None if row.keywords is None else "\n".join(row.keywords), row.image)
                            for seq, row in good])
        db.execute("INSERT INTO facts VALUES ('rows', 'complete')")
        db.execute("COMMIT")

    def forget_bad(self) -> None:
        """Has images that could not be used checked again: they may have been mended since."""
        self._db.execute("BEGIN")
        self._db.execute("UPDATE rows SET reason = NULL "
                         "WHERE image IN (SELECT id FROM images WHERE reason IS NOT NULL)")
        self._db.execute("UPDATE images SET checked = 0, reason = NULL WHERE reason IS NOT NULL")
        self._db.execute("COMMIT")

    def row_count(self) -> int:
        """Input rows, usable or not."""
        return self._one("SELECT count(*) FROM rows") + self._one("SELECT count(*) FROM bad_rows")

    def has_own_splits(self) -> bool:
        """Whether the table gives a row a split that counts."""
        return self._one("SELECT EXISTS (SELECT 1 FROM rows WHERE split IS NOT NULL)") == 1

    def image_counts(self) -> tuple[int, int]:
        """Images named by rows, and how many of them are checked."""
        return self._one("SELECT count(*) FROM images"), self._one("SELECT count(*) FROM images WHERE checked")

    def unchecked(self, chunk: int) -> Iterator[list[ImageTask]]:
        """Images that were not checked yet, `chunk` at a time, in order."""
        last = 0
        while rows := self._db.execute(
                f"SELECT id, key, {EXTENT_COLUMNS}, seq, caption FROM (SELECT id, key, {EXTENT_COLUMNS} FROM images "
                "WHERE NOT checked AND id > ? ORDER BY id LIMIT ?) JOIN rows ON rows.image = id ORDER BY id, seq",
                (last, chunk)).fetchall():
            yield [ImageTask(image, key, tuple([row[6:] for row in group]), extent_of(*place))
                   for (image, key, *place), group in itertools.groupby(rows, key=_OF_IMAGE)]
            last = rows[-1][0]

    def check(self, results: Sequence[ImageResult]) -> None:
        """Stores what photos turned out to be, in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE images SET checked = 1, reason = ?, height = ?, width = ?, file_crc32c = ?, eighth_crc32c = ?, "
            "pixel_crc32c = ?, reencode = ?, stored_bytes = ? WHERE id = ?",
            [(r.reason, r.height, r.width, r.file_crc32c, r.eighth_crc32c, r.pixel_crc32c, r.reencode, r.stored_bytes,
              r.image) for r in results])
        self._db.executemany("UPDATE rows SET reason = ? WHERE image = ?",
                             [(r.reason, r.image) for r in results if r.reason is not None])
        self._db.executemany("UPDATE rows SET words = ?, tags = ?, reason = ? WHERE image = ? AND seq = ?",
                             [(words, tags, reason, r.image, seq)
                              for r in results for seq, words, tags, reason in r.texts])
        self._db.execute("COMMIT")

    def look_alikes(self, kind: PixelHash, chunk: int) -> Iterator[list[LookAlike]]:
        """Images that cheaper hashes do not tell from all others, and whose hash of this kind is not known.

        Args:
          kind: CRC32C: JPEG files that have their size and eighth_crc32c in common with another, or their size with an
            image that has no eighth_crc32c. SHA256: images whose pixel_crc32c others have too.
          chunk: how many to give at a time.
        """
        last, (column, search_index, needed) = 0, HASH_COLUMNS[kind]
        self._db.execute(search_index)
        while rows := self._db.execute(
                f"SELECT id, key, file_crc32c, {EXTENT_COLUMNS} FROM images WHERE id > ? AND checked "
                f"AND reason IS NULL AND {column} IS NULL AND ({needed}) ORDER BY id LIMIT ?",
                (last, chunk)).fetchall():
            yield [LookAlike(image, key, crc32c, extent_of(*place)) for image, key, crc32c, *place in rows]
            last = rows[-1][0]

    def tell_apart(self, kind: PixelHash, hashes: Sequence[tuple[int, bytes]]) -> None:
        """Stores (image, hash) pairs, in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(f"UPDATE images SET {HASH_COLUMNS[kind].column} = ? WHERE id = ?",
                             [(digest, image) for image, digest in hashes])
        self._db.execute("COMMIT")

    def has_image(self, key: str) -> bool:
        """Whether a row names it."""
        return self._one("SELECT EXISTS (SELECT 1 FROM images WHERE key = ?)", (key,)) == 1

    def resolve(self, splitter: Splitter, seed: int) -> None:
        """Gives each duplicate group one example in one split, and each caption its example or the reason it has none.

        Photos with equal pixels become one example under the first name that is in the most held-out of their
        splits (test, then validation, then others, then train): what is evaluated is never trained on, and an
        official test set keeps its size.
        """
        db = self._db
        db.execute("BEGIN")
        db.execute("DROP INDEX IF EXISTS images_in_order")
        db.execute("DROP INDEX IF EXISTS images_by_example")
        db.execute("UPDATE rows SET left_out = NULL WHERE left_out IS NOT NULL")
        db.execute("UPDATE images SET example = NULL, split = NULL WHERE example IS NOT NULL")
        # The captions of an image mostly follow one another.
        split_of = functools.lru_cache(16)(lambda key, row_split: splitter.split_of(key, row_split, seed))
        groups = self._duplicate_groups()
        while batch := list(itertools.islice(groups, _BATCH)):
            resolved = [resolve_group(rows, split_of, seed) for rows in batch]
            db.executemany("UPDATE rows SET left_out = ? WHERE image = ? AND seq = ?",
                           [row for group in resolved for row in group.left_out])
            db.executemany("UPDATE images SET example = ?, split = ?, position = ? WHERE id = ?",
                           [image for group in resolved for image in group.images])
        db.execute(IN_ORDER)
        db.execute(BY_EXAMPLE)
        db.execute("COMMIT")

    def _duplicate_groups(self) -> Iterator[list[GroupRow]]:
        """The usable rows of each duplicate group, those of its images one image after the other."""
        usable = ("SELECT images.id, key, seq, caption, place, rows.split, pixel_crc32c, pixel_sha256 "
                  "FROM images JOIN rows ON rows.image = images.id WHERE images.reason IS NULL AND rows.reason IS NULL")
        for which, order, group_of in (("pixel_crc32c IS NULL", "images.id", operator.itemgetter(0)),
                                       ("pixel_crc32c IS NOT NULL", "pixel_crc32c, pixel_sha256, images.id",
                                        operator.attrgetter("pixel_crc32c", "pixel_sha256"))):
            rows = map(GroupRow._make, self._db.execute(f"{usable} AND {which} ORDER BY {order}, seq"))
            for _, group in itertools.groupby(rows, key=group_of):
                yield list(group)

    def split_counts(self, store_size: int = 0) -> dict[str, tuple[int, int]]:
        """Examples and bytes of stored images of every split, the training split first.

        Args:
          store_size: short side that images are shrunk to, if any; their bytes are taken to go by their pixels.
        """
        rows = self._db.execute(
            "SELECT split, count(*), sum(CASE WHEN ?1 BETWEEN 1 AND min(height, width) "
            "THEN stored_bytes * ?1 / min(height, width) * ?1 / min(height, width) ELSE stored_bytes END) "
            "FROM images WHERE split IS NOT NULL GROUP BY split", (store_size,)).fetchall()
        return {split: (count, size) for split, count, size in
                sorted(rows, key=lambda row: held_out_first(row[0]), reverse=True)}

    def count_words(self, split: str) -> tuple[Counter[str], Counter[str]]:
        """Occurrences of words and of tags in the captions of a split."""
        words: Counter[str] = Counter()
        tags: Counter[str] = Counter()
        rows = self._db.execute(f"SELECT words, tags {OF_EXAMPLES}", (split,))
        while batch := rows.fetchmany(_BATCH):
            words.update(" ".join([found for found, _ in batch]).split())
            tags.update(" ".join([tagged for _, tagged in batch]).split())
        return words, tags

    def texts(self, split: str) -> Iterator[Text]:
        """The captions and keyword rows of a split's examples, in any order."""
        yield from map(Text._make, self._db.execute(f"SELECT {TEXT_COLUMNS} {OF_EXAMPLES}", (split,)))

    def keyword_cells(self) -> Iterator[str]:
        """The cells of all splits that hold keywords nobody has told apart yet, in any order."""
        for cell, in self._db.execute(
                "SELECT caption FROM rows WHERE keywords = '' AND reason IS NULL AND left_out IS NULL"):
            yield cell

    def examples(self, split: str) -> Iterator[PlannedExample]:
        """The examples of a split in the order of `position`."""
        return planned(self._db, split)

    def position(self, split: str, number: int) -> bytes:
        """The position, a sort key, of a split's example number `number`, from 0."""
        return self._one("SELECT position FROM images WHERE split = ? ORDER BY position LIMIT 1 OFFSET ?",
                         (split, number))

    def rejected(self) -> Iterator[tuple[str, str, str]]:
        """(image, row, reason) of every row that is in no example, in input order."""
        yield from self._db.execute(
            "SELECT image, place, reason FROM ("
            "SELECT seq, image, place, reason FROM bad_rows UNION ALL "
            "SELECT rows.seq, images.key, rows.place, coalesce(rows.reason, rows.left_out) AS reason "
            "FROM rows JOIN images ON images.id = rows.image "
            "WHERE rows.reason IS NOT NULL OR rows.left_out IS NOT NULL) ORDER BY seq")

    def duplicates(self) -> Iterator[tuple[str, str, str]]:
        """(image, kept as, split) of every image whose captions went to the example of another."""
        yield from self._db.execute(
            "SELECT other.key, kept.key, kept.split FROM images other JOIN images kept ON kept.id = other.example "
            "WHERE other.example != other.id ORDER BY other.id")
