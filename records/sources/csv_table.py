"""CSV and its relatives: a header and one caption a row, separated by commas, tabs, semicolons or bars."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from flags.errors import UserError
from records.sources import columns, csv_flags, csv_splits
from records.sources.base import BadField, BadRow, Row, printable, shown
from records.sources.caption_rows import caption_rows
from records.sources.csv_layout import Layout, layout_of
from records.sources.csv_records import bare, records
from records.sources.objects import file_of, left_out
from records.sources.table import Table


def matches(table: Table) -> bool:
    """The first lines name an image and a caption column, or are rows such as `photo.jpg,caption`."""
    return layout_of(table) is not None


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption; a record may span lines inside quotes.

    Raises:
      UserError: the first lines tell no image and caption column.
    """
    layout = known_layout(table)
    for number, _, line, fields in records(table.lines(ahead=True), layout):
        if not table.has_line(number):
            break
        if number <= layout.header_line:
            continue
        where = f"{table.name}:{number}"
        if isinstance(fields, str):
            yield BadRow(where, printable(layout.name_in(bare(line, layout.delimiter))), fields)
        elif not layout.fits(fields):
            yield BadRow(where, printable(layout.name_in(fields)), f"number of fields is wrong: {len(fields)} instead "
                         f"of {layout.width}; a caption with {layout.delimiter!r} in it needs quotes")
        else:
            yield from _rows(fields, layout, table, where)


def remarks(table: Table) -> list[str]:
    """What to say of columns that were told by their values, where some were; raises what `read` does."""
    layout = known_layout(table)
    return list(csv_splits.remarks(layout, _fitting(table, layout)))


def with_layouts(tables: Sequence[Table]) -> list[Table]:
    """Several tables that are read as one, each with its layout; raises what `read` does."""
    layouts = csv_splits.together([known_layout(table) for table in tables])
    return [dataclasses.replace(table, layout=layout) for table, layout in zip(tables, layouts, strict=True)]


def known_layout(table: Table) -> Layout:
    """Which field of the table is which: what was found out of all of it before its parts are read, or else now.

    Raises:
      UserError: its first lines tell no image and caption column.
    """
    if table.layout is not None:
        return table.layout
    layout = layout_of(table)
    if layout is None:
        first = "".join(table.first_lines(1)).strip()
        raise UserError(f"--captions: {table.path}: the first line {shown(first)} names no image and caption "
                        f"column; expected {columns.HEADER}")
    return csv_splits.settled(layout, _fitting(table, layout), table.own_splits)


def _fitting(table: Table, layout: Layout) -> Iterator[list[str]]:
    """The fields of each row of the whole table that fits its layout."""
    for record in records(dataclasses.replace(table, span=None).lines(), layout):
        if record.number > layout.header_line and not isinstance(record.fields, str) and layout.fits(record.fields):
            yield _filled(record.fields, layout)


def _filled(fields: list[str], layout: Layout) -> list[str]:
    return fields + [""] * (layout.width - len(fields))


def _rows(fields: list[str], layout: Layout, table: Table, where: str) -> Iterable[Row | BadRow]:
    fields = _filled(fields, layout)
    image = file_of(fields[layout.image])
    split = None if layout.split is None else fields[layout.split]
    if layout.marks and (reason := left_out({name: fields[index] for index, name in layout.marks})) is not None:
        return [BadRow(where, printable(image), reason)]
    if layout.split_flags:
        try:
            split = csv_flags.split_of(layout.split_flags, fields)
        except BadField as error:
            return [BadRow(where, printable(image), str(error))]
    if layout.flags:
        keywords = csv_flags.keywords(layout.flags, fields)
        if isinstance(keywords, str):
            return [BadRow(where, printable(image), keywords)]
        return [table.row(image, keywords, where, split, columns.KEYWORDS[0]) if keywords else
                BadRow(where, printable(image), "no keyword is set")]
    return caption_rows(table, image, [(name, fields[index]) for index, name in layout.texts], where, split)
