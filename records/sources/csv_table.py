"""CSV and its relatives: a header and one caption a row, separated by commas, tabs, semicolons or bars."""

from collections.abc import Iterable, Iterator

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadRow, Row, printable, shown
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


def known_layout(table: Table) -> Layout:
    """Which field of the table is which.

    Raises:
      UserError: its first lines tell no image and caption column.
    """
    layout = layout_of(table)
    if layout is None:
        first = "".join(table.first_lines(1)).strip()
        raise UserError(f"--captions: {table.path}: the first line {shown(first)} names no image and caption "
                        f"column; expected {columns.HEADER}")
    return layout


def _rows(fields: list[str], layout: Layout, table: Table, where: str) -> Iterable[Row | BadRow]:
    fields = fields + [""] * (layout.width - len(fields))
    image = file_of(fields[layout.image])
    split = None if layout.split is None else fields[layout.split]
    if layout.marks and (reason := left_out({name: fields[index] for index, name in layout.marks})) is not None:
        return [BadRow(where, printable(image), reason)]
    if layout.flags:
        keywords = layout.keywords(fields)
        return [table.row(image, keywords, where, split, columns.KEYWORDS[0]) if keywords else
                BadRow(where, printable(image), "no keyword is set")]
    return caption_rows(table, image, [(name, fields[index]) for index, name in layout.texts], where, split)
