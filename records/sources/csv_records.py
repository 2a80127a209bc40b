"""Lines to records of fields: the quoting of RFC 4180, and what other programs make of it.

A quote that is opened and never closed costs its own row only: the standard reader would swallow what follows, up to
the next quote or the end of the file, into one field.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from records.sources.csv_layout import Layout
from records.sources.names import has_image_suffix
from records.sources.table import LINE_LIMIT

UNCLOSED = "quote is opened and never closed"
GARBLED = "text follows a closing quote: double the quotes inside a quoted field"
_SPAN_LINES = 100  # a caption with more line breaks than this is taken for a quote never closed
_ESCAPED = re.compile(r'\\(["\\])')
_RULE = " \t\r\n|+:=-"  # what lines between header and rows are drawn with
_QUOTED_FIRST = re.compile(r'\s*"((?:[^"]|"")*)"\s*')


def parse(lines: list[str], delimiter: str) -> list[str] | str:
    """The fields of one record as RFC 4180 has it, or what is wrong with it; a space before a quote does not count."""
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return UNCLOSED
        if str(error).endswith("expected after '\"'"):
            return GARBLED
        return f"row is no CSV: {error}"


def bare(line: str, delimiter: str) -> list[str]:
    """The fields when quotes are letters like any other."""
    return line.rstrip("\r\n").split(delimiter)


class Record(NamedTuple):
    """One record of a table.

    Attributes:
      number, last: of its first and of its last line.
      line: the first line.
      fields: its fields, or what is wrong with it.
    """

    number: int
    last: int
    line: str
    fields: list[str] | str


def records(lines: Iterator[tuple[int, str | None]], layout: Layout) -> Iterator[Record]:
    """Each record of a table's numbered lines, blank lines left out. What a record is depends on no line before it."""
    waiting: deque[tuple[int, str | None]] = deque()  # lines looked at and not used

    def take() -> tuple[int, str | None] | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (entry := take()) is not None:
        number, line = entry
        if line is None:
            yield Record(number, number, "", f"line is longer than {LINE_LIMIT:,} characters")
            continue
        if not line.strip() or (layout.delimiter == "|" and "-" in line and not line.strip(_RULE)):
            continue
        fields = _fields([line], layout)
        ahead: list[tuple[int, str | None]] = []
        record = [line]
        while fields == UNCLOSED and len(ahead) < _SPAN_LINES and (entry := take()) is not None:
            ahead.append(entry)
            if entry[1] is None or _is_row_of_its_own(entry[1], line, layout):
                break
            record.append(entry[1])
            fields = _fields(record, layout)
        looked_ahead = bool(ahead)
        if ahead and (isinstance(fields, str) or not layout.fits(fields)):
            waiting.extendleft(reversed(ahead))
            fields, ahead = UNCLOSED, []
        if fields == UNCLOSED and _is_spaced_quote(line, layout):
            fields = bare(line, layout.delimiter)
        elif fields == GARBLED and layout.fits(plain := bare(line, layout.delimiter)):
            fields = plain  # a.jpg,"Hi" says the dog: usable, as the delimiters alone tell the fields
        if layout.width == 2 and not looked_ahead and (fields == GARBLED or (
                not isinstance(fields, str) and not layout.fits(fields) and len(fields) > 2)):
            fields = _two(line, layout)
        yield Record(number, ahead[-1][0] if ahead else number, line, fields)


def _fields(lines: list[str], layout: Layout) -> list[str] | str:
    if layout.delimiter == "|":
        # Tables separated by bars (Flickr30k's results.csv) come with bare quotes inside captions.
        fields: list[str] | str = bare("".join(lines), "|")
        if layout.fits(fields) or '"' not in lines[0]:
            return fields
        quoted = parse(lines, "|")
        return quoted if layout.fits(quoted) else fields
    fields = parse(lines, layout.delimiter)
    if not layout.fits(fields) and any('\\"' in line for line in lines):  # as Spark and MySQL write quotes
        escaped = parse([_ESCAPED.sub(lambda match: '""' if match[1] == '"' else "\\", line) for line in lines],
                        layout.delimiter)
        if layout.fits(escaped):
            return escaped
    return fields


def _is_row_of_its_own(line: str, opening: str, layout: Layout) -> bool:
    """Whether a line behind an open quote is the next row rather than more of the caption.

    It is when the line has a photo's name where the line that opened the quote has one, and fields enough.
    """
    name = layout.name_in(bare(opening, layout.delimiter))
    if not name:
        return False
    alone = parse([line], layout.delimiter)
    plain = bare(line, layout.delimiter)
    for fields in (alone, plain):
        other = layout.name_in(fields) if not isinstance(fields, str) and len(fields) >= layout.width else ""
        if other and (has_image_suffix(other) if has_image_suffix(name) else _alike(name, other)):
            return True
    return False


def _alike(name: str, other: str) -> bool:
    """Whether both could be ids without a suffix."""
    both_numbered = not re.search(r"\s", name + other) and bool(re.search(r"\d", name) and re.search(r"\d", other))
    return both_numbered or _form(other) == _form(name)


def _form(name: str) -> str:
    """1000268201_693b08cb0e as 0_0a0a0a: which kinds of characters follow one another."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", name))


def _is_spaced_quote(line: str, layout: Layout) -> bool:
    """Whether a quote is open only because the space before it was taken off, in a line whose fields are clear."""
    strict = bare(line, layout.delimiter)
    return layout.fits(strict) and all(not field.startswith('"') for field in strict)


def _two(line: str, layout: Layout) -> list[str]:
    """The fields of a table of two columns, where all that is not the photo's name is the caption."""
    line = line.rstrip("\r\n").rstrip(layout.delimiter if layout.delimiter.strip() else "")
    if layout.image == 1:
        caption, _, name = line.rpartition(layout.delimiter)
        return [_unquoted(caption), _unquoted(name)]
    if (quoted := _QUOTED_FIRST.match(line)) and line[quoted.end():].startswith(layout.delimiter):
        return [quoted[1].replace('""', '"'), _unquoted(line[quoted.end() + len(layout.delimiter):])]
    name, _, caption = line.partition(layout.delimiter)
    return [name, _unquoted(caption)]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
