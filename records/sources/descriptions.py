"""Flickr8k's descriptions.txt, as tutorials write it: a name and its caption, separated by the first space or tab.

    1000268201_693b08cb0e child in pink dress is climbing up set of stairs
"""

import re
from collections.abc import Iterator

from records.sources.base import BadRow, Row, printable
from records.sources.names import has_image_suffix
from records.sources.table import LINE_LIMIT, Table

_ID = re.compile(r"(?=\D*\d)[A-Za-z0-9_-]{8,}")


def matches(table: Table) -> bool:
    """Most of the first lines begin with the name of a photo, or with an id such as 1000268201_693b08cb0e."""
    lines = table.first_lines(20)
    names = [line.split()[0] for line in lines if len(line.split(None, 1)) == 2]
    return bool(names) and any(sum(bool(fits(name)) for name in names) * 4 >= len(lines) * 3
                               for fits in (has_image_suffix, _ID.fullmatch))


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row a line; blank lines are skipped."""
    for number, line in table.lines():
        where = f"{table.name}:{number}"
        if line is None:
            yield BadRow(where, "", f"line is longer than {LINE_LIMIT:,} characters")
        elif len(parts := line.split(None, 1)) == 2:
            yield table.row(parts[0], parts[1], where)
        elif parts:
            yield BadRow(where, printable(line.strip()), "line is not of the form name caption")
