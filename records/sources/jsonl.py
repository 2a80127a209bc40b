"""JSON lines, one image a line: {"image": …, "caption": …}, or "captions": […], or "tags": […], its keywords."""

import json
from collections.abc import Iterator

from records.sources import columns
from records.sources.base import BadRow, Row, printable, shown
from records.sources.table import LINE_LIMIT, Table


def matches(table: Table) -> bool:
    """The file is called .jsonl or .ndjson, or one of its first lines is an object with an image and captions."""
    if table.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        return True
    return any(_is_row(line) for line in table.first_lines(20))


def _is_row(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return columns.find(value, columns.IMAGE) is not None and columns.find(value, columns.CAPTION) is not None


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption; blank lines are skipped."""
    for number, line in table.lines():
        where = f"{table.name}:{number}"
        if line is None:
            yield BadRow(where, "", f"line is longer than {LINE_LIMIT:,} characters")
        elif line.strip():
            yield from _rows(line, where)


def _rows(line: str, where: str) -> Iterator[Row | BadRow]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        yield BadRow(where, "", f"line is no JSON: {error.msg} at column {error.colno}")
        return
    except (ValueError, RecursionError) as error:
        yield BadRow(where, "", f"line is no JSON: {printable(str(error), 80)}")
        return
    if not isinstance(value, dict):
        yield BadRow(where, "", f"line is no JSON object: {shown(line.strip())}")
        return
    names, values = list(value), list(value.values())
    image, caption = columns.find(names, columns.IMAGE), columns.find(names, columns.CAPTION)
    split = columns.find(names, columns.SPLIT)
    name = values[image] if image is not None else None
    if image is None:
        yield BadRow(where, "", f"object names no image: its keys are {shown(', '.join(map(str, names)))}")
    elif caption is None:
        yield BadRow(where, printable(name), f"object has no caption: its keys are {shown(', '.join(map(str, names)))}")
    else:
        column, value = columns.normalised(names[caption]), values[caption]
        captions = value if isinstance(value, list) and column not in columns.KEYWORDS else [value]
        if not captions or value == []:
            yield BadRow(where, printable(name), "caption is empty")
            return
        for index, text in enumerate(captions):
            place = where if len(captions) == 1 else f"{where} caption {index}"
            yield columns.text_row(column, name, text, place, None if split is None else values[split])
