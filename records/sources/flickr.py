"""Flickr8k and Flickr30k token files: `name.jpg#0<TAB>caption`, one caption a line."""

import re
from collections.abc import Iterator

from records.sources.base import BadRow, Row, printable
from records.sources.table import LINE_LIMIT, Table

_NUMBER = re.compile(r"#\d+|\t")
_LINE = re.compile(r"([^\t]*)#\d+[ ]*\t(.*)", re.DOTALL)


def matches(table: Table) -> bool:
    """Most of the first lines are of the form."""
    lines = table.first_lines(20)
    return sum(bool(_LINE.match(line)) for line in lines) * 2 > len(lines)


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row a line; blank lines are skipped."""
    for number, line in table.lines():
        where = f"{table.name}:{number}"
        if line is None:
            yield BadRow(where, "", f"line is longer than {LINE_LIMIT:,} characters")
        elif match := _LINE.fullmatch(line):
            yield table.row(match[1], match[2], where)
        elif line.strip():
            yield BadRow(where, printable(_NUMBER.split(line.strip(), maxsplit=1)[0]),
                         "line is not of the form name#number<TAB>caption")
