"""JSON lines, one image a line: what records.sources.objects reads, each on a line of its own."""

import json
from collections.abc import Iterator

from records.sources.base import BadRow, Row, printable, shown
from records.sources.objects import is_row, rows_of
from records.sources.table import LINE_LIMIT, Table


def matches(table: Table) -> bool:
    """The file is called .jsonl or .ndjson, or one of its first lines is an object with an image and captions."""
    if table.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return True
    return not table.head.lstrip().startswith("[") and any(_is_row(line) for line in table.first_lines(20))


def _is_row(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return is_row(json.loads(line))
    except (ValueError, RecursionError):
        return False


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption; blank lines are skipped."""
    for number, line in table.lines():
        where = f"{table.name}:{number}"
        if line is None:
            yield BadRow(where, "", f"line is longer than {LINE_LIMIT:,} characters")
        elif line.strip():
            yield from _rows(line, table, where)


def _rows(line: str, table: Table, where: str) -> Iterator[Row | BadRow]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        yield BadRow(where, "", f"line is no JSON: {error.msg} at column {error.colno}")
        return
    except (ValueError, RecursionError) as error:
        yield BadRow(where, "", f"line is no JSON: {printable(str(error), 80)}")
        return
    if isinstance(value, dict):
        yield from rows_of(value, table, where)
    else:
        yield BadRow(where, "", f"line is no JSON object: {shown(line.strip())}")
