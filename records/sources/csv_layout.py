"""Which field of a separated table is which: from its header, or from its first rows where it has none."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterable

from records.sources import columns
from records.sources.base import is_split
from records.sources.csv_flags import Flags, flags_of, is_blank, is_on, split_flags
from records.sources.names import FileNames, has_image_suffix
from records.sources.table import Table

_DELIMITERS = (",", "\t", "|", ";")
_SEP = re.compile(r'\s*"?sep=(\W)"?\s*', re.IGNORECASE)  # what Excel is told the separator by
_SAMPLE = 20  # rows by which photos and captions are found
_TITLE_LINES = 5  # lines before the header at most: titles, comments, rules
_MARKS = ("is_rejected", "is_precanned", "confidence", "label_name", "labelname")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Which field is which.

    Attributes:
      width: fields of a row.
      image, split: positions; split is None where there is none.
      split_flags: positions of columns that say of one split whether a photo is in it, with that split.
      texts: positions of captions or keywords, with the name of each column.
      marks: positions of columns that say whether a row is to be used, with their normalised names.
      flags: positions of columns that hold 1 where a photo has the keyword that is their name, with that name.
      alone: positions of columns that hold nothing but the name of one split, with that split.
      undecided: positions of columns that may be flags: the rows that were looked at hold nothing there.
      header_line: the header's line number, 0 when the table has none.
      names: of all columns, by position; () when the table has no header.
    """

    delimiter: str
    width: int
    image: int
    texts: tuple[tuple[int, str], ...]
    split: int | None = None
    marks: tuple[tuple[int, str], ...] = ()
    flags: tuple[tuple[int, str], ...] = ()
    undecided: tuple[int, ...] = ()
    alone: tuple[tuple[int, str], ...] = ()
    split_flags: tuple[tuple[int, str], ...] = ()
    header_line: int = 0
    names: tuple[str, ...] = dataclasses.field(default=(), compare=False)

    def fits(self, fields: list[str] | str) -> bool:
        """Whether these are the fields of a row; empty ones at its end do not count."""
        if isinstance(fields, str):
            return False
        if len(fields) == self.width:
            return True
        if len(fields) < self.width:  # a row of caption_0, caption_1, … may end with its last caption
            return len(self.texts) > 1 and len(fields) > max(self.image, self.texts[0][0])
        return not any(field.strip() for field in fields[self.width:])

    def name_in(self, fields: list[str]) -> str:
        """The photo's name in a row that may have too many fields, counted from the nearer end; "" if too few."""
        first = not self.texts or self.image <= self.texts[0][0]
        if len(fields) <= self.image if first else len(fields) < self.width:
            return ""
        return fields[self.image if first else self.image - self.width].strip().strip('"')


def layout_of(table: Table) -> Layout | None:
    """None where the first lines name no image and caption column and look like no rows without a header."""
    lines = [(number, line) for number, line in enumerate(io.StringIO(table.head, newline=""), 1) if line.strip()]
    if table.is_head_cut:
        lines = lines[:-1] or lines  # cut short
    delimiters: tuple[str, ...] = _DELIMITERS
    if lines and (told := _SEP.fullmatch(lines[0][1].strip("\r\n"))):
        delimiters, lines = (told[1],), lines[1:]
    for index, (number, line) in enumerate(lines[:_TITLE_LINES]):
        sample = [text for _, text in lines[index + 1:index + 1 + _SAMPLE]]
        # R's write.table separates quoted names by spaces.
        for delimiter in (*delimiters, *((" ",) if line.startswith('"') else ())):
            names = _split(line, delimiter)
            rows = [_split(text, delimiter) for text in sample]
            more = (_split(text, delimiter) for _, text in lines[index + 1:])
            if found := _by_header(names, rows, more, delimiter, number, table.images):
                return found
        if any(has_image_suffix(field) for delimiter in delimiters for field in _split(line, delimiter)):
            break  # a row, not a title above a header
    sample = [text for _, text in lines[:_SAMPLE]]
    for delimiter in delimiters:
        if found := _by_rows([_split(line, delimiter) for line in sample], delimiter):
            return found
    return None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=delimiter != "|"), [])
    except csv.Error:
        return line.rstrip("\r\n").split(delimiter)


def _by_header(names: list[str], rows: list[list[str]], more: Iterable[list[str]], delimiter: str, number: int,
               images: str) -> Layout | None:
    """The layout that a header gives; `rows` are the first below it, `more` all those that were read."""
    candidates = columns.find_all(names, columns.IMAGE)
    if not candidates and columns.find_captions(names):
        candidates = _columns_of_files([row for row in rows if len(row) == len(names)])
        candidates *= len(candidates) == 1  # of a photo before and one after, no name says which is meant
    if not candidates or len(names) < 2:
        return None
    texts = [index for index in columns.find_captions(names) if index not in candidates[:1]]
    shift = int(bool(rows) and all(len(row) == len(names) + 1 for row in rows) and all(
        row[0].strip().isdecimal() and has_image_suffix(row[candidates[0] + 1]) for row in rows))  # R's row names
    rows = [row[shift:] for row in rows if len(row) == len(names) + shift]
    image = _image_column(candidates, rows, images)
    named = columns.find_all(names, columns.SPLIT)
    split = next((index for index in named if any(is_split(row[index]) for row in rows)), next(iter(named), None))
    of_splits = split_flags(names) if split is None else []
    flags = Flags([], [])
    if not texts or _are_flags(names, rows, texts):
        flags = flags_of(names, (row[shift:] for row in more if len(row) == len(names) + shift),
                         {image, split, *(index for index, _ in of_splits)})
        texts = [] if flags.classes else texts
    if not texts and not flags.classes:
        return None
    marks = [(index, columns.normalised(name)) for index, name in enumerate(names)
             if columns.normalised(name) in _MARKS]
    return Layout(delimiter, len(names) + shift, image + shift,
                  tuple((index + shift, names[index]) for index in texts), None if split is None else split + shift,
                  tuple((index + shift, name) for index, name in marks),
                  tuple((index + shift, names[index].strip()) for index in flags.classes),
                  undecided=tuple(index + shift for index in flags.blank),
                  split_flags=tuple((index + shift, name) for index, name in of_splits), header_line=number,
                  names=(*[""] * shift, *names))


def _are_flags(names: list[str], rows: list[list[str]], texts: list[int]) -> bool:
    """Whether columns called text, title, … are classes of that name: they hold 1 and 0 alone."""
    return not any(columns.is_keywords(names[index]) for index in texts) and all(
        is_on(row[index]) is not None for row in rows for index in texts) and any(
        not is_blank(row[index]) for row in rows for index in texts)


def _columns_of_files(rows: list[list[str]]) -> list[int]:
    """Columns whose every value looks like an image file's name."""
    return [index for index in range(len(rows[0]) if rows else 0) if all(
        has_image_suffix(row[index]) and "://" not in row[index] for row in rows)]


def _image_column(candidates: list[int], rows: list[list[str]], images: str) -> int:
    """The first column whose names are files, else whose names look like files, else that holds no URLs."""
    if len(candidates) == 1 or not rows:
        return candidates[0]
    files = FileNames(images)
    for fits in (lambda name: files.exists(files.complete(name.strip())), has_image_suffix, lambda name: True):
        for index in candidates:
            values = [row[index] for row in rows]
            if all("://" not in value for value in values) and any(map(fits, values)):
                return index
    return candidates[0]


def _by_rows(rows: list[list[str]], delimiter: str) -> Layout | None:
    """The layout of a table without header: a photo's name, its caption, and nothing that could be another caption."""
    if not rows or len(rows[0]) < 2:
        return None
    if has_image_suffix(rows[0][0]) and "://" not in rows[0][0]:
        width = len(rows[0])
        if width == 2:
            return Layout(delimiter, 2, 0, ((1, ""),))
        if any(len(row) != width for row in rows) or len(rows) == 1 or all(
                row[index].startswith(" ") for row in rows for index in range(2, width)):
            return Layout(delimiter, 2, 0, ((1, ""),)) if delimiter in ",;" else None
    if all(len(row) == len(rows[0]) for row in rows):
        return _by_columns(list(zip(*rows, strict=True)), delimiter)
    return None


def _by_columns(fields: list[tuple[str, ...]], delimiter: str) -> Layout | None:
    names = _columns_of_files([list(row) for row in zip(*fields, strict=True)])
    splits = [index for index, column in enumerate(fields) if all(map(is_split, column))]
    texts = [index for index, column in enumerate(fields) if index not in (*names, *splits) and any(
        re.search(r"[^\W\d_]", value) for value in column)]
    if len(names) != 1 or len(texts) != 1 or len(splits) > 1:
        return None
    return Layout(delimiter, len(fields), names[0], ((texts[0], ""),), splits[0] if splits else None)
