"""The formats that captions come in, how one is recognised, and the one way to open them all."""

import dataclasses
import os
from collections.abc import Callable, Iterator

from etils import epath

from flags.errors import UserError
from records.sources import coco, csv_table, flickr, jsonl, karpathy, tfds
from records.sources.base import BadRow, Row, shown
from records.sources.table import Table


@dataclasses.dataclass(frozen=True)
class Format:
    """One value of --captions_format.

    Attributes:
      matches: whether a table, judged by its name and its first 64 KiB, is of this format.
      read: the table's rows, good and bad, as a stream.
    """

    matches: Callable[[Table], bool]
    read: Callable[[Table], Iterator[Row | BadRow]]


# In the order in which they are tried: a CSV header is the weakest sign, so it comes last.
FORMATS = {
    "tfds": Format(tfds.matches, tfds.read),
    "karpathy": Format(karpathy.matches, karpathy.read),
    "coco": Format(coco.matches, coco.read),
    "jsonl": Format(jsonl.matches, jsonl.read),
    "flickr": Format(flickr.matches, flickr.read),
    "csv": Format(csv_table.matches, csv_table.read),
}
AUTO = "auto"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".JPG", ".JPEG", ".PNG")


def detect(captions: str) -> str:
    """The name in FORMATS of the format that a caption table has.

    Raises:
      UserError: the file cannot be read, is empty, or is of no known format.
    """
    table = Table(captions, "")
    for name, form in FORMATS.items():
        if form.matches(table):
            return name
    first = "".join(_check_not_empty(table).first_lines(1)).strip()
    raise UserError(f"--captions: {captions} is no caption table of a known format: its first line is {shown(first)}; "
                    "expected a CSV header such as image,caption, or JSON lines, or name#0<TAB>caption, or COCO or "
                    "Karpathy JSON (--captions_format names one of them)")


def _check_not_empty(table: Table) -> Table:
    if not table.head.strip():
        raise UserError(f"--captions: {table.path} is empty; expected a table of image names and captions")
    return table


def is_spooled(captions: str, captions_format: str = AUTO) -> bool:
    """Whether the source brings its images along and writes them to a folder, instead of finding them there."""
    return captions_format == "tfds" or captions.startswith(tfds.PREFIX)


def open_source(captions: str, captions_format: str, images: str,
                spool_dir: str | None = None) -> Iterator[Row | BadRow]:
    """Reads a caption table as a stream; what cannot be used comes out as BadRow, in place.

    Args:
      captions: value of --captions: a file on any path that etils knows, gzip-compressed or not, or "tfds:NAME".
      captions_format: "auto" or a name in FORMATS.
      images: folder that the image names are relative to.
      spool_dir: folder that a source with images of its own (see `is_spooled`) writes them to; the rows are then
        relative to it. Default: `images`.

    Raises:
      UserError: there is no table of that format, or it has no row at all. Raised by this call for what the first
        64 KiB tell, while iterating for the rest.
    """
    if captions_format == AUTO:
        captions_format = detect(captions)
    if captions_format not in FORMATS:
        raise UserError(f"--captions_format={captions_format} is unknown: expected one of {AUTO}, {', '.join(FORMATS)}")
    if is_spooled(captions, captions_format):
        return _rows(captions, captions_format, spool_dir or images)
    _check_not_empty(Table(captions, images))
    return _rows(captions, captions_format, images)


def _rows(captions: str, captions_format: str, images: str) -> Iterator[Row | BadRow]:
    rows = FORMATS[captions_format].read(Table(captions, images))
    named, found = "", ""  # the last name, and the file it stands for
    empty = True
    for row in rows:
        empty = False
        if isinstance(row, Row):
            if row.image != named:
                named = row.image
                found = named if os.path.splitext(named)[1] else _with_suffix(images, named)
            if found != named:
                row = dataclasses.replace(row, image=found)
        yield row
    if empty:
        raise UserError(f"--captions: {captions} has no captions (read as {captions_format}); "
                        "expected one image name and caption a row")


def _with_suffix(images: str, name: str) -> str:
    """A name that a table gives without its suffix ("1000268201_693b08cb0e"), completed by looking at the files."""
    folder = epath.Path(images)
    try:
        if not (folder / name).exists():
            return next((name + suffix for suffix in _SUFFIXES if (folder / (name + suffix)).exists()), name)
    except OSError:
        pass
    return name
