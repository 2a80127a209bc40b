"""CSV and its relatives: a header and one caption a row, separated by commas, tabs, semicolons or bars.

Quoting is that of RFC 4180. A quote that is opened and never closed costs its own row only: the standard reader
would swallow the rest of the file into one field.
"""

import csv
import dataclasses
import io
import re
from collections import deque
from collections.abc import Iterator

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadRow, Row, printable, shown
from records.sources.table import LINE_LIMIT, Table

_DELIMITERS = (",", "\t", "|", ";")
_SPAN_LINES = 100  # a caption with more line breaks than this is taken for a quote never closed
_IMAGE_SUFFIX = re.compile(r"\.(jpe?g|png|gif|bmp|webp|tiff?)\s*$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Which field is which.

    Attributes:
      text_name: what the header calls the caption's column.
      header_line: its line number, 0 when the table has none.
    """

    delimiter: str
    width: int
    image: int
    caption: int
    split: int | None
    header_line: int
    text_name: str = ""


def matches(table: Table) -> bool:
    """The first line names an image and a caption column, or is a row `photo.jpg,caption`."""
    return _layout(table) is not None


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row a record; a record may span lines inside quotes.

    Raises:
      UserError: the first line tells no image and caption column.
    """
    layout = _layout(table)
    if layout is None:
        first = "".join(table.first_lines(1)).strip()
        raise UserError(f"--captions: {table.path}: the first line {shown(first)} names no image and caption "
                        "column; expected a header such as image,caption")
    for number, line, fields in _records(table.lines(), layout):
        if number <= layout.header_line:
            continue
        where = f"{table.name}:{number}"
        if isinstance(fields, str):
            yield BadRow(where, _image_of(_bare(line, layout), layout), fields)
            continue
        while len(fields) > layout.width and not fields[-1].strip():
            fields.pop()
        if len(fields) != layout.width:
            yield BadRow(where, _image_of(fields, layout), f"number of fields is wrong: {len(fields)} instead of "
                         f"{layout.width}; a caption with {layout.delimiter!r} in it needs quotes")
            continue
        yield columns.text_row(layout.text_name, fields[layout.image], fields[layout.caption], where,
                       None if layout.split is None else fields[layout.split])


def _layout(table: Table) -> _Layout | None:
    number, line = next(((n, text) for n, text in enumerate(io.StringIO(table.head, newline=""), 1) if text.strip()),
                        (0, ""))
    for delimiter in _DELIMITERS:
        names = _parse([line], delimiter)
        if isinstance(names, str):
            continue
        image, caption = columns.find(names, columns.IMAGE), columns.find(names, columns.CAPTION)
        if image is not None and caption is not None:
            return _Layout(delimiter, len(names), image, caption, columns.find(names, columns.SPLIT), number,
                           columns.normalised(names[caption]))
    for delimiter in _DELIMITERS:
        fields = _parse([line], delimiter)
        if len(fields) == 2 and _IMAGE_SUFFIX.search(fields[0]):
            return _Layout(delimiter, 2, 0, 1, None, 0)
    return None


def _image_of(fields: list[str], layout: _Layout) -> str:
    """The image that a bad row names, as far as one can tell."""
    return printable(fields[layout.image].strip().strip('"')) if layout.image < len(fields) else ""


def _bare(line: str, layout: _Layout) -> list[str]:
    """The fields when quotes are letters like any other."""
    return line.rstrip("\r\n").split(layout.delimiter)


_UNCLOSED = "quote is opened and never closed"
_GARBLED = "text follows a closing quote: double the quotes inside a quoted field"


def _parse(lines: list[str], delimiter: str) -> list[str] | str:
    """The fields of one record, or what is wrong with it."""
    # Tables separated by bars (Flickr30k's results.csv) come with bare quotes inside captions.
    if delimiter == "|":
        return "".join(lines).rstrip("\r\n").split(delimiter)
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return _UNCLOSED
        if str(error).endswith("expected after '\"'"):
            return _GARBLED
        return f"row is no CSV: {error}"


def _records(lines: Iterator[tuple[int, str | None]], layout: _Layout) -> Iterator[tuple[int, str, list[str] | str]]:
    """(line number, first line, fields or what is wrong) of each record, blank lines left out."""
    waiting: deque[tuple[int, str | None]] = deque()  # lines looked at and not used

    def take() -> tuple[int, str | None] | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (entry := take()) is not None:
        number, line = entry
        if line is None:
            yield number, "", f"line is longer than {LINE_LIMIT:,} characters"
            continue
        if not line.strip():
            continue
        fields, record = _parse([line], layout.delimiter), [line]
        ahead: list[tuple[int, str | None]] = []
        while fields == _UNCLOSED and len(ahead) < _SPAN_LINES and (entry := take()) is not None:
            ahead.append(entry)
            if entry[1] is None:
                break
            record.append(entry[1])
            fields = _parse(record, layout.delimiter)
        if ahead and (isinstance(fields, str) or len(fields) != layout.width):
            waiting.extendleft(reversed(ahead))
            fields = _UNCLOSED
        elif fields == _GARBLED and len(bare := _bare(line, layout)) == layout.width:
            fields = bare  # a.jpg,"Hi" says the dog: usable, as the delimiters alone tell the fields
        yield number, line, fields
