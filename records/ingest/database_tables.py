"""The tables of `records.ingest.database`, and what it takes and gives.

What travels between processes is a NamedTuple: a frozen dataclass with slots takes ten times as long to pickle.
"""

from typing import NamedTuple

from records.images.extents import Extent
from records.images.validation import PixelHash

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE bad_rows (seq INTEGER PRIMARY KEY, image TEXT, place TEXT, reason TEXT);
CREATE TABLE rows (
  image INTEGER NOT NULL,
  seq INTEGER NOT NULL,         -- position in the caption table
  caption TEXT, place TEXT, split TEXT,
  keywords TEXT,                -- NULL: a caption; '': a cell of keywords; else keywords, a line each
  words TEXT, tags TEXT,        -- joined by spaces
  reason TEXT,                  -- why it cannot be used, found by looking at it alone
  left_out TEXT,                -- why it is in no example all the same, found by looking at all rows
  PRIMARY KEY (image, seq)) WITHOUT ROWID;
CREATE TABLE images (
  id INTEGER PRIMARY KEY,       -- in order of first appearance
  key TEXT UNIQUE NOT NULL,
  file TEXT, start INTEGER, size INTEGER, extent_crc32c INTEGER,  -- its records.images.extents.Extent, or NULL
  checked INTEGER NOT NULL DEFAULT 0,
  reason TEXT, height INTEGER, width INTEGER, file_crc32c INTEGER, reencode INTEGER, stored_bytes INTEGER,
  eighth_crc32c BLOB,           -- of JPEG files; equal for one picture, and by chance for others
  pixel_crc32c BLOB,            -- of others, and of JPEG files that may be the same picture as another image
  pixel_sha256 BLOB,            -- of images whose pixel_crc32c others have too
  example INTEGER,              -- the image that stands for its picture, itself mostly; NULL: no caption is used
  split TEXT,                   -- set on the image that stands for its picture
  position BLOB);               -- seeded hash of the key
"""

# Made when they are first needed, by one sort: kept up to date photo by photo they take several times as long.
BY_EIGHTH = "CREATE INDEX IF NOT EXISTS images_by_eighth ON images (height, width, eighth_crc32c)"
BY_PIXELS = ("CREATE INDEX IF NOT EXISTS images_by_pixels ON images (pixel_crc32c, pixel_sha256, id) "
             "WHERE pixel_crc32c IS NOT NULL")
IN_ORDER = "CREATE INDEX images_in_order ON images (split, position) WHERE split IS NOT NULL"
BY_EXAMPLE = "CREATE INDEX images_by_example ON images (example)"

_OTHER = "EXISTS (SELECT 1 FROM images other WHERE other.id != images.id AND other.reason IS NULL AND "
_SAME_SIZE = "other.height = images.height AND other.width = images.width AND "


class HashColumn(NamedTuple):
    """Where a hash of an image's pixels is kept, and when it has to be computed.

    Attributes:
      column: of the table `images`.
      search_index: SQL that makes the index which the search needs.
      needed: SQL condition: what an image has in common with another that only this hash tells it from.
    """

    column: str
    search_index: str
    needed: str


HASH_COLUMNS = {
    PixelHash.CRC32C: HashColumn(
        "pixel_crc32c", BY_EIGHTH, f"{_OTHER}{_SAME_SIZE}other.eighth_crc32c = images.eighth_crc32c) OR "
        f"{_OTHER}{_SAME_SIZE}other.eighth_crc32c IS NULL)"),
    PixelHash.SHA256: HashColumn("pixel_sha256", BY_PIXELS, f"{_OTHER}other.pixel_crc32c = images.pixel_crc32c)"),
}


class ImageTask(NamedTuple):
    """One photo to check, with its captions: (row number, caption) pairs."""

    image: int
    key: str
    captions: tuple[tuple[int, str], ...]
    extent: Extent | None = None


class ImageResult(NamedTuple):
    """What a photo turned out to be.

    Attributes:
      reason: why it cannot be used; None when it can, and then the fields after it are set.
      eighth_crc32c, pixel_crc32c: what records.images.validation.PixelHash says of EIGHTH and CRC32C; one of the two.
      texts: (row number, words, tags, reason) of each caption; words and tags joined by spaces.
    """

    image: int
    reason: str | None
    height: int = 0
    width: int = 0
    file_crc32c: int = 0
    eighth_crc32c: bytes | None = None
    pixel_crc32c: bytes | None = None
    reencode: bool = False
    stored_bytes: int = 0
    texts: tuple[tuple[int, str, str, str | None], ...] = ()


class LookAlike(NamedTuple):
    """One photo whose pixels may be those of another; file_crc32c is its file's checksum when it was checked."""

    image: int
    key: str
    file_crc32c: int
    extent: Extent | None = None


EXTENT_COLUMNS = "file, start, size, extent_crc32c"


def extent_of(file: str | None, start: int, size: int, crc32c: int | None) -> Extent | None:
    """What the columns of `images` say of where an image lies inside an archive."""
    return None if file is None else Extent(file, start, size, crc32c)
