"""JSON lines, one image a line: what records.sources.objects reads, each on a line of its own."""

import json
from collections.abc import Iterator

from records.sources.base import BadRow, Row, printable, shown
from records.sources.json_document import is_container
from records.sources.json_text import loads
from records.sources.objects import is_row, rows_of
from records.sources.table import LINE_LIMIT, Table


def matches(table: Table) -> bool:
    """The file is called .jsonl or .ndjson, or one of its first lines is an object with an image and captions."""
    if table.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return True
    lines = table.first_lines(20)
    first = lines[0].strip() if lines else "["
    if first.startswith("[") or first.startswith("{") and first.endswith(("{", "[", ",", ":")):
        return False  # a document, of several lines perhaps
    return any(_is_row(line, table, len(lines) == 1) for line in lines)


def _is_row(line: str, table: Table, alone: bool) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        value = loads(line)
    except (ValueError, RecursionError):
        return False
    return is_row(value) and not (alone and is_container(value, table))


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
        value = loads(line)
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
