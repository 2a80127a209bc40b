"""A caption table's file: opened on any path, unpacked, decoded, read line by line in bounded memory."""

import codecs
import dataclasses
import errno
import functools
import gzip
import io
import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from etils import epath

from flags.errors import UserError
from records.sources import columns, json_text
from records.sources.base import BadRow, Row, make_keyword_row, make_row, shown
from records.util import regular_files

LINE_LIMIT = 1 << 20  # characters; a longer line is no row of captions
_HEAD_BYTES = 1 << 16
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # UTF-32 LE starts like UTF-16 LE
_GZIP = b"\x1f\x8b"
_BINARY = {b"PK\x03\x04": "a zip file, as Excel workbooks are", b"\xff\xd8\xff": "a JPEG photo",
           b"\x89PNG": "a PNG picture", b"PAR1": "a Parquet file", b"%PDF": "a PDF file",
           b"SQLite format 3": "an SQLite database", b"\x89HDF": "an HDF5 file", b"7z\xbc\xaf": "a 7z file",
           b"ARROW1": "an Arrow file", b"\xff\xff\xff\xff": "an Arrow file", b"\xd0\xcf\x11\xe0": "an Excel workbook",
           b"\x80\x02": "a Python pickle", b"\x80\x03": "a Python pickle", b"\x80\x04": "a Python pickle",
           b"\x80\x05": "a Python pickle", b"\x93NUMPY": "a NumPy file", b"MATLAB 5.0": "a MATLAB file",
           b"BZh": "a bzip2 file", b"\xfd7zXZ": "an xz file", b"\x28\xb5\x2f\xfd": "a Zstandard file",
           b"{\\rtf": "an RTF document"}
_TAR_MAGIC = slice(257, 262), b"ustar"
_REMEDIES = {"a Parquet file": "--captions=parquet:{} reads it", "a tar": "--captions=webdataset:{} reads it",
             "a zip file, as Excel workbooks are": "unpack it, or of a workbook export it as CSV",
             **dict.fromkeys(("a bzip2 file", "an xz file", "a Zstandard file", "a 7z file"), "unpack it")}
# Texts that hold tables in forms of their own: what they begin with, what they are, and what to do.
_MARKUP = ((re.compile(r"<\?xml|<annotations?\b", re.IGNORECASE), "XML", "export it as COCO JSON or CSV"),
           (re.compile(r"<!doctype html|<html|<table\b", re.IGNORECASE), "a web page", "save the table itself as CSV"),
           (re.compile(r"(?:--[^\n]*+\s++|(?>/\*.*?\*/;?\s*+)|SET [^\n]*+\s++)*+"
                       r"(?:INSERT INTO|CREATE TABLE|DROP TABLE)\b", re.IGNORECASE | re.DOTALL),
            "an SQL dump", "export the table as CSV"),
           (re.compile(r"---\s*\n|%YAML|- *\w+ *:|[\w./-]+:[ \t]*\n[ \t]*- "), "YAML",
            'write each photo as a line of JSON, {"image": "a.jpg", "caption": "…"}'),
           (re.compile(r"@relation\b", re.IGNORECASE), "an ARFF file", "export the table as CSV"))


def markup(head: str) -> tuple[str, str] | None:
    """What a text is that begins like another kind of document than a table, and what to do; None if it does not."""
    return next(((kind, remedy) for form, kind, remedy in _MARKUP if form.match(head.lstrip())), None)


@dataclasses.dataclass(frozen=True)
class Span:
    """A part of a table's file: the lines that begin in some of its bytes.

    Attributes:
      start, end: offsets in bytes. A line begins after a line feed.
      first_line: the number of the first line in the table, from 1.
      lines: how many there are; None as long as nobody has counted them.
      skipped: lines at its start that belong to a record of the span before.
    """

    start: int
    end: int
    first_line: int = 1
    lines: int | None = None
    skipped: int = 0


@dataclasses.dataclass(frozen=True)
class Table:
    """Where captions are read from, and what reading them may need.

    Attributes:
      path: a file, or "tfds:" and a dataset's name or folder.
      images: folder that image names are relative to.
      label: what `where` calls it; default: its base name.
      split: of rows that have none of their own.
      own_splits: whether the splits that the table gives its rows count.
      keywords: whether texts beside the photos, of which no column's name tells it, are keywords.
      span: the part of the file to read; None for all of it.
      scratch: local folder for photos that a source brings along and that cannot be read where they lie.
      layout: which field is which (records.sources.csv_layout), once all of a separated table told it.
    """

    path: str
    images: str
    label: str = ""
    split: str | None = None
    own_splits: bool = True
    keywords: bool = False
    span: Span | None = None
    scratch: str = ""
    layout: Any = None

    @functools.cached_property
    def name(self) -> str:
        """The file's base name, for `where`."""
        return self.label or os.path.basename(self.path.rstrip("/"))

    def row(self, image: object, text: object, where: str, split: object = None, column: object = "") -> Row | BadRow:
        """A Row from raw fields, or the BadRow that says which of them cannot be used.

        Args:
          text: a caption; a cell or a list of keywords where `column`, the name of the text's column, says so.
        """
        split = split if self.own_splits and split is not None else self.split
        if columns.is_keywords(column):
            return make_keyword_row(image, text, where, split, columns.is_single(column), self.images)
        return make_row(image, text, where, split, self.images)

    @functools.cached_property
    def head(self) -> str:
        """The first 64 KiB as text, enough to recognise a format by."""
        raw = self._head_bytes
        encoding = _encoding(raw, self.path)
        return codecs.getincrementaldecoder(encoding)(_errors(encoding)).decode(raw)

    @functools.cached_property
    def is_head_cut(self) -> bool:
        """Whether the file may go on behind `head`: counted in bytes, as a letter may have several."""
        return len(self._head_bytes) >= _HEAD_BYTES

    def first_lines(self, count: int) -> list[str]:
        """The first `count` lines within the head that are not blank; the last may be cut short."""
        return list(itertools.islice((line for line in io.StringIO(self.head, newline="") if line.strip()), count))

    @functools.cached_property
    def _head_bytes(self) -> bytes:
        with self._open() as stream:
            return self._read(stream, _HEAD_BYTES)

    def lines(self, ahead: bool = False) -> Iterator[tuple[int, str | None]]:
        """Each line's number, from 1, and its text with its line end; None for one longer than LINE_LIMIT.

        Bytes that are not UTF-8 come out as lone surrogates, which the checks of base.py find row by row.

        Args:
          ahead: goes on behind the span, for records that end there.
        """
        encoding, span = _encoding(self._head_bytes, self.path), self.span
        if span is not None and span.start:
            encoding = "utf-8"  # a mark of the byte order stands at the file's start alone
        first = span.first_line + span.skipped if span else 1
        with self._open() if span is None else self._open_span(span, ahead) as stream, \
                io.TextIOWrapper(stream, encoding, _errors(encoding), newline="") as text:
            number = span.first_line - 1 if span else 0
            while line := self._read(text, LINE_LIMIT, line=True):
                number += 1
                whole = len(line) < LINE_LIMIT or line.endswith(("\n", "\r"))
                while not whole and (rest := self._read(text, LINE_LIMIT, line=True)):
                    if rest.endswith(("\n", "\r")):
                        break
                if number >= first:
                    yield number, line if whole else None

    def has_line(self, number: int) -> bool:
        """Whether a line is of the span, whose lines are counted; all are where there is none."""
        return self.span is None or self.span.lines is None or number < self.span.first_line + self.span.lines

    @functools.cached_property
    def divisible_bytes(self) -> int | None:
        """Size of a file that can be read in spans: text in UTF-8, not packed; None for others."""
        if not _encoding(self._head_bytes, self.path).startswith("utf-8"):
            return None
        with regular_files.open_binary(self.path) as file:
            if file.read(len(_GZIP)) == _GZIP:
                return None
            file.seek(0, os.SEEK_END)
            return file.tell()

    def document(self) -> Any:
        """The whole file as one JSON document; a key that is given twice has `Several` values.

        Raises:
          UserError: it is no JSON, or not UTF-8.
        """
        with self._open() as stream:
            raw = self._read(stream, -1)
        try:
            return json_text.loads(raw.decode(_encoding(self._head_bytes, self.path)))
        except json.JSONDecodeError as error:
            if error.msg == "Extra data":
                raise UserError(f"--captions: {self.path}:{error.lineno}:{error.colno}: a second JSON value follows "
                                "the first; write one array of objects, or JSON lines, each object on a line of its own"
                                ) from error
            raise UserError(f"--captions: {self.path}:{error.lineno}:{error.colno}: no valid JSON ({error.msg}); "
                            "is the file complete?") from error
        except UnicodeDecodeError as error:
            raise UserError(f"--captions: {self.path} is not UTF-8 at byte {error.start}; save it as UTF-8") from error
        except (RecursionError, ValueError) as error:
            raise UserError(f"--captions: {self.path}: no JSON of a caption table ({error})") from error

    def _open(self) -> Any:
        path = epath.Path(self.path)
        try:
            if path.is_dir():
                raise UserError(f"--captions: {self.path} is a folder; expected a file with a table of captions")
            if not path.exists():  # on object stores, opening alone does not tell
                raise FileNotFoundError(errno.ENOENT, "no such file")
            stream = io.BufferedReader(Unbuffered(regular_files.open_binary(self.path)), _HEAD_BYTES)
            packed = stream.peek(len(_GZIP)).startswith(_GZIP)
        except regular_files.NotRegular as error:
            raise UserError(f"--captions: {self.path} {error.strerror}; a table is read more than once, so write it to "
                            "a file first") from error
        except OSError as error:
            raise UserError(f"--captions: cannot read {self.path} ({error.strerror or error}); "
                            "expected a file with a table of captions") from error
        return gzip.GzipFile(fileobj=stream) if packed else stream

    def _open_span(self, span: Span, ahead: bool) -> Any:
        try:
            file = regular_files.open_binary(self.path)
            end = None if ahead else _line_start(file, span.end)
            start = _line_start(file, span.start)
            file.seek(start)
        except OSError as error:
            raise UserError(f"--captions: cannot read {self.path} ({error.strerror or error}); is it on storage "
                            "that all machines share?") from error
        return io.BufferedReader(Unbuffered(file, None if end is None else max(end - start, 0)), _HEAD_BYTES)

    def _read(self, stream: Any, size: int, line: bool = False) -> Any:
        try:
            return stream.readline(size) if line else stream.read(size)
        except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
            raise UserError(f"--captions: cannot read {self.path} to its end ({error}); "
                            "is the file complete?") from error


class Unbuffered(io.RawIOBase):
    """Any object with read(size) and close() as a raw stream: what gs:// paths open as is less than Python's files.

    Args:
      most: bytes after which it ends; None: where the object does.
    """

    def __init__(self, stream: Any, most: int | None = None):
        self._stream, self._most = stream, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer) if self._most is None else min(len(buffer), self._most))
        buffer[:len(data)] = data
        if self._most is not None:
            self._most -= len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def _line_start(file: Any, offset: int) -> int:
    """Where the first line begins that begins at `offset` or after it."""
    if offset == 0:
        return 0
    place = offset - 1
    file.seek(place)
    while part := file.read(_HEAD_BYTES):
        if (found := part.find(b"\n")) >= 0:
            return place + found + 1
        place += len(part)
    return place


def text_of(data: bytes) -> str:
    """A small file's text: UTF-8, or what its byte order mark says; stray bytes are lone surrogates."""
    encoding = next((encoding for bom, encoding in _BOMS if data.startswith(bom)), "utf-8")
    return data.decode(encoding, _errors(encoding))


def _errors(encoding: str) -> str:
    return "surrogateescape" if encoding.startswith("utf-8") else "replace"


def _encoding(head: bytes, path: str) -> str:
    """The encoding that the first bytes of a file speak for."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    kind = next((kind for magic, kind in _BINARY.items() if head.startswith(magic)), None)
    if head[_TAR_MAGIC[0]] == _TAR_MAGIC[1]:
        kind = "a tar"
    if kind is not None:
        remedy = _REMEDIES.get(kind, "export it as CSV").format(path)
        raise UserError(f"--captions: {path} is {kind}, expected a table of captions as text "
                        f"(CSV, JSON lines, a Flickr token file, COCO or Karpathy JSON): {remedy}")
    pairs = max(len(head) // 2, 1)
    even, odd = head[0::2].count(0) / pairs, head[1::2].count(0) / pairs
    if min(even, odd) < 0.05 and max(even, odd) > 0.4:  # mostly Latin letters, two bytes each
        return "utf-16-le" if odd > even else "utf-16-be"
    controls = sum(head.count(code) for code in range(32) if code not in b"\t\n\r\f")
    if controls > len(head) / 10:
        raise UserError(f"--captions: {path} is no text (it starts with {shown(repr(head[:12]))}), expected a table "
                        "of captions (CSV, JSON lines, a Flickr token file, COCO or Karpathy JSON)")
    return "utf-8"
