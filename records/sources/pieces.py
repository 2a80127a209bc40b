"""Caption tables in pieces that any machine can read, the same rows as `open_source` gives, in the same order.

    pieces = pieces_of("captions.csv", "auto", images, piece_bytes=16 << 20)
    while waiting := [piece for piece in pieces if not piece.is_placed]:
        pieces = placed(pieces, {piece.number: survey(piece) for piece in waiting})      # anywhere, in any order
    rows = [row for piece in pieces for row in read_piece(piece)]                        # likewise

CSV, JSON lines and token files in UTF-8 are cut after any line; of tars and Parquet files each is a piece. What cannot
be cut (COCO's JSON, a packed table, a dataset) is one piece. Which line a piece begins with, and whether its first
lines belong to a quoted field of the piece before, takes one look at all of them: the survey. Which field of a CSV is
which is told once, by the whole table.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from records.sources import csv_table, parquet, webdataset
from records.sources.archives import tables_of_files
from records.sources.base import BadRow, Row
from records.sources.csv_records import records
from records.sources.registry import FORMATS, completed, photo_folder, tables_of
from records.sources.table import Span, Table
from records.util.absolute_paths import absolute

_BY_LINES = ("csv", "jsonl", "flickr", "descriptions")
_NO_FILES = ("tfds", "sidecar", "folders")
_BY_FILES = {"webdataset": webdataset.PREFIX, "parquet": parquet.PREFIX}


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some rows of --captions that follow one another.

    Attributes:
      number: its place among all pieces, from 0.
      source: the place of its table among all tables, from 0.
      table: what it is of, with the span that it is.
      form: a name in FORMATS.
      folder: of --images, that the photos lie in.
      part: the folder of the names of an archive's photos; "" for other sources.
      is_placed: whether its first line is known.
      surveyed_from: lines that were skipped when it was looked at last; -1 before that.
      overlap: lines behind it that its last record takes.
    """

    number: int
    source: int
    table: Table
    form: str
    folder: str = ""
    part: str = ""
    is_placed: bool = True
    surveyed_from: int = -1
    overlap: int = 0


class Survey(NamedTuple):
    """What one look at a piece tells: its lines, and how many behind it its last record takes."""

    lines: int
    overlap: int


def pieces_of(captions: str, captions_format: str, images: str, own_splits: bool = True, keywords: bool = False,
              piece_bytes: int = 16 << 20, scratch: str | None = None) -> list[Piece]:
    """The pieces of all that --captions names; arguments and errors as of `open_source`."""
    pieces: list[Piece] = []
    tables = tables_of(captions, captions_format, images, own_splits, keywords, scratch)
    for source, (table, form) in enumerate(tables):
        folder = photo_folder(table, form)
        if (prefix := _BY_FILES.get(form)) is not None:
            for file, part in tables_of_files(table, prefix):
                file = dataclasses.replace(file, path=absolute(file.path))
                pieces.append(Piece(len(pieces), source, file, form, folder, part))
            continue
        if form not in _NO_FILES:
            table = dataclasses.replace(table, path=absolute(table.path), label=table.name)
        if form == "csv":
            table = dataclasses.replace(table, layout=csv_table.known_layout(table))
        if form in _BY_LINES and (size := table.divisible_bytes or 0) > piece_bytes:
            for start in range(0, size, piece_bytes):
                span = Span(start, min(start + piece_bytes, size))
                pieces.append(Piece(len(pieces), source, dataclasses.replace(table, span=span), form, folder,
                                    is_placed=False))
        else:
            without_head = dataclasses.replace(table)  # which it has cached
            pieces.append(Piece(len(pieces), source, without_head, form, folder))
    return pieces


def survey(piece: Piece) -> Survey:
    """Counts the lines of a piece of a table, and looks where its last record ends."""
    table = piece.table
    assert table.span is not None
    counted = dataclasses.replace(table, span=dataclasses.replace(table.span, first_line=1, lines=None, skipped=0))
    lines, has_quote = 0, False
    for lines, line in counted.lines():  # noqa: B007
        has_quote = has_quote or line is not None and '"' in line
    skipped = min(table.span.skipped, lines)
    last = table.span.skipped
    if piece.form == "csv" and has_quote and skipped < lines:
        span = dataclasses.replace(table.span, first_line=1, lines=lines)
        for record in records(dataclasses.replace(table, span=span).lines(ahead=True), csv_table.known_layout(table)):
            if record.number > lines:
                break
            last = record.last
    return Survey(lines, max(last - lines, 0))


def placed(pieces: list[Piece], surveys: Mapping[int, Survey]) -> list[Piece]:
    """The pieces with what surveys told; some of them may have to be looked at again, from another line on."""
    result: list[Piece] = []
    before: Piece | None = None
    for piece in pieces:
        span = piece.table.span
        if span is not None:
            if (told := surveys.get(piece.number)) is not None:
                piece = dataclasses.replace(piece, surveyed_from=span.skipped, overlap=told.overlap)
                span = dataclasses.replace(span, lines=told.lines)
            first_line, skipped = 1, 0
            if before is not None and before.table.path == piece.table.path and before.table.span is not None:
                first_line = before.table.span.first_line + (before.table.span.lines or 0)
                skipped = before.overlap
            span = dataclasses.replace(span, first_line=first_line, skipped=skipped)
            piece = dataclasses.replace(piece, table=dataclasses.replace(piece.table, span=span),
                                        is_placed=piece.surveyed_from == skipped)
        result.append(piece)
        before = piece
    return result


def read_piece(piece: Piece) -> Iterator[Row | BadRow]:
    """The rows of a piece; raises as `open_source` does while it is read, but not for a piece without rows."""
    if piece.form == "webdataset":
        rows = webdataset.read_file(piece.table, piece.part)
    elif piece.form == "parquet":
        rows = parquet.read_file(piece.table, piece.part)
    else:
        rows = FORMATS[piece.form].read(piece.table)
    return completed(rows, piece.table.images, piece.folder)
