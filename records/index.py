"""The input of make_records in an SQLite file: however many rows there are, memory stays flat.

It is filled in steps. A restarted run finds the table read and the photos checked as far as they were:

    index.ingest(rows)                 every row of the caption table
    index.unchecked() / index.check()  what is in each photo; the words and tags of each caption
    index.look_alikes() / index.tell_apart()   which photos are one picture
    index.resolve(splitter, seed)      one example per picture, in one split; repeated captions left out
    index.count_words(...)             words of the train split
    index.examples(split)              examples in the order of a seeded hash of their keys
"""

import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from records import rejected
from records.index_tables import ALIKE, SCHEMA, ImageResult, ImageTask, LookAlike, Planned
from records.sources import BadRow, Row
from records.splits import Splitter

# A version of this program with other tables leaves this one's file alone.
FILE = f"index-{hashlib.sha256(SCHEMA.encode()).hexdigest()[:8]}.sqlite"


def position(key: str, seed: int) -> bytes:
    """Where an example stands among all of its split: examples are ordered by this hash."""
    return hashlib.sha256(f"order/{seed}/{key}".encode()).digest()


def held_out_first(split: str) -> tuple[int, str]:
    """Sort key of splits: a picture that is in several is kept in the first, so that train never sees it."""
    return {"test": 0, "validation": 1, "train": 3}.get(split, 2), split


class Index:
    """The SQLite file at `path`, which belongs to `inputs`: one that belongs to others is emptied.

    Args:
      inputs: names all that the steps up to `check` depend on, such as the hash of the caption table.
    """

    def __init__(self, path: str, inputs: str):
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
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return found and found[0]

    def ingest(self, rows: Iterable[Row | BadRow]) -> None:
        """Stores every row, in order. Nothing is read from `rows` when an earlier run stored them all."""
        if self._fact("rows"):
            return
        db = self._db
        db.execute("BEGIN")
        last_key, last_id = None, 0
        for seq, row in enumerate(rows):
            if isinstance(row, BadRow):
                db.execute("INSERT INTO bad_rows VALUES (?, ?, ?, ?)", (seq, row.image, row.where, row.reason))
                continue
            if row.image != last_key:
                db.execute("INSERT OR IGNORE INTO images (key) VALUES (?)", (row.image,))
                last_key, last_id = row.image, self._one("SELECT id FROM images WHERE key = ?", (row.image,))
            db.execute("INSERT INTO rows (seq, image, caption, place, split) VALUES (?, ?, ?, ?, ?)",
                       (seq, last_id, row.caption, row.where, row.split))
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

    def image_counts(self) -> tuple[int, int]:
        """Images named by rows, and how many of them are checked."""
        return self._one("SELECT count(*) FROM images"), self._one("SELECT count(*) FROM images WHERE checked")

    def unchecked(self, chunk: int) -> Iterator[list[ImageTask]]:
        """Images that were not checked yet, `chunk` at a time, in order."""
        last = 0
        while images := self._db.execute("SELECT id, key FROM images WHERE NOT checked AND id > ? ORDER BY id LIMIT ?",
                                         (last, chunk)).fetchall():
            yield [ImageTask(image, key, tuple(self._db.execute(
                "SELECT seq, caption FROM rows WHERE image = ? ORDER BY seq", (image,)))) for image, key in images]
            last = images[-1][0]

    def check(self, results: Sequence[ImageResult]) -> None:
        """Stores what was found, in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE images SET checked = 1, reason = ?, height = ?, width = ?, file_crc32c = ?, eighth_crc32c = ?, "
            "pixel_crc32c = ?, reencode = ?, stored_bytes = ? WHERE id = ?",
            [(r.reason, r.height, r.width, r.file_crc32c, r.eighth_crc32c, r.pixel_crc32c, r.reencode, r.stored_bytes,
              r.image) for r in results])
        self._db.executemany("UPDATE rows SET reason = ? WHERE image = ?",
                             [(r.reason, r.image) for r in results if r.reason is not None])
        self._db.executemany("UPDATE rows SET words = ?, tags = ?, reason = ? WHERE seq = ?",
                             [(words, tags, reason, seq) for r in results for seq, words, tags, reason in r.texts])
        self._db.execute("COMMIT")

    def look_alikes(self, wanted: str, chunk: int) -> Iterator[list[LookAlike]]:
        """Images that cheaper hashes do not tell from all others, and whose `wanted` one is not known.

        Args:
          wanted: "pixel_crc32c": JPEG files that have their size and eighth_crc32c in common with another, or their
            size with an image that has no eighth_crc32c. "pixel_sha256": images whose pixel_crc32c others have too.
          chunk: how many to give at a time.
        """
        last = 0
        while found := self._db.execute(
                f"SELECT id, key, file_crc32c FROM images WHERE id > ? AND checked AND reason IS NULL "
                f"AND {wanted} IS NULL AND ({ALIKE[wanted]}) ORDER BY id LIMIT ?", (last, chunk)).fetchall():
            yield [LookAlike(*row) for row in found]
            last = found[-1][0]

    def tell_apart(self, wanted: str, hashes: Sequence[tuple[int, bytes]]) -> None:
        """Stores (image, hash) pairs, in one transaction."""
        self._db.execute("BEGIN")
        self._db.executemany(f"UPDATE images SET {wanted} = ? WHERE id = ?",
                             [(digest, image) for image, digest in hashes])
        self._db.execute("COMMIT")

    def has_image(self, key: str) -> bool:
        """Whether a row names it."""
        return self._one("SELECT EXISTS (SELECT 1 FROM images WHERE key = ?)", (key,)) == 1

    def resolve(self, splitter: Splitter, seed: int) -> None:
        """Gives every picture one example in one split, and every caption its example or the reason it has none.

        Photos with equal pixels become one example under the first name that is in the most held-out of their
        splits (test, then validation, then others, then train): what is evaluated is never trained on, and an
        official test set keeps its size.
        """
        db = self._db
        db.execute("BEGIN")
        db.execute("UPDATE rows SET example = NULL, left_out = NULL WHERE example IS NOT NULL OR left_out IS NOT NULL")
        db.execute("UPDATE images SET split = NULL WHERE split IS NOT NULL")
        cursor = db.execute("SELECT coalesce(pixel_crc32c, id) AS picture, pixel_sha256, id, key FROM images "
                            "WHERE reason IS NULL ORDER BY picture, pixel_sha256, id")
        for _, group in itertools.groupby(cursor, key=lambda row: row[:2]):
            self._resolve_picture([(image, key) for _, _, image, key in group], splitter, seed)
        db.execute("COMMIT")

    def _resolve_picture(self, members: Sequence[tuple[int, str]], splitter: Splitter, seed: int) -> None:
        db = self._db
        captions: list[tuple[int, str, str]] = []  # seq, caption, place
        named: list[tuple[tuple[int, str], int, str]] = []  # split's rank, image, key
        for image, key in members:
            rows = db.execute(
                "SELECT seq, caption, place, split FROM rows WHERE image = ? AND reason IS NULL", (image,)).fetchall()
            for seq, caption, place, row_split in rows:
                split = splitter.split_of(key, row_split, seed)
                if split is None:
                    db.execute("UPDATE rows SET left_out = ? WHERE seq = ?", (rejected.NO_SPLIT, seq))
                    continue
                captions.append((seq, caption, place))
                named.append((held_out_first(split), image, key))
        if not captions:
            return
        (_, split), example, key = min(named)  # most held out, then first in the table
        db.execute("UPDATE images SET split = ?, position = ? WHERE id = ?", (split, position(key, seed), example))
        seen: dict[str, str] = {}
        for seq, caption, place in sorted(captions):
            if caption in seen:
                db.execute("UPDATE rows SET left_out = ? WHERE seq = ?", (f"{rejected.REPEATED}: {seen[caption]}", seq))
            else:
                seen[caption] = place
                db.execute("UPDATE rows SET example = ? WHERE seq = ?", (example, seq))

    def split_counts(self) -> dict[str, tuple[int, int]]:
        """Examples and bytes of stored images of every split, the training split first."""
        rows = self._db.execute("SELECT split, count(*), sum(stored_bytes) FROM images WHERE split IS NOT NULL "
                                "GROUP BY split").fetchall()
        return {split: (count, size) for split, count, size in
                sorted(rows, key=lambda row: held_out_first(row[0]), reverse=True)}

    def count_words(self, split: str) -> tuple[Counter[str], Counter[str]]:
        """Occurrences of words and of tags in the captions of a split."""
        words: Counter[str] = Counter()
        tags: Counter[str] = Counter()
        for found, tagged in self._db.execute(
                "SELECT words, tags FROM rows JOIN images ON images.id = rows.example WHERE images.split = ?",
                (split,)):
            words.update(found.split())
            tags.update(tagged.split())
        return words, tags

    def examples(self, split: str) -> Iterator[Planned]:
        """The examples of a split in the order of `position`."""
        for image, key, height, width, sha256, reencode, size in self._db.execute(
                "SELECT id, key, height, width, file_crc32c, reencode, stored_bytes FROM images WHERE split = ? "
                "ORDER BY position", (split,)):
            captions = tuple(self._db.execute(
                "SELECT caption, words, tags FROM rows WHERE example = ? ORDER BY seq", (image,)))
            yield Planned(key, height, width, sha256, bool(reencode), size, captions)

    def rejected(self) -> Iterator[tuple[str, str, str]]:
        """(image, row, reason) of every row that is in no example, in input order."""
        yield from self._db.execute(
            "SELECT image, place, reason FROM ("
            "SELECT seq, image, place, reason FROM bad_rows UNION ALL "
            "SELECT rows.seq, images.key, rows.place, coalesce(rows.reason, rows.left_out) AS reason "
            "FROM rows JOIN images ON images.id = rows.image WHERE rows.example IS NULL) ORDER BY seq")

    def duplicates(self) -> Iterator[tuple[str, str, str]]:
        """(image, kept as, split) of every image whose captions went to the example of another."""
        yield from self._db.execute(
            "SELECT other.key, kept.key, kept.split FROM images kept JOIN images other "
            "ON other.pixel_crc32c = kept.pixel_crc32c AND other.pixel_sha256 = kept.pixel_sha256 "
            "AND other.id != kept.id "
            "WHERE kept.split IS NOT NULL AND other.reason IS NULL AND EXISTS "
            "(SELECT 1 FROM rows WHERE rows.image = other.id AND (rows.example IS NOT NULL OR rows.left_out LIKE ?)) "
            "ORDER BY other.id", (rejected.REPEATED + "%",))
