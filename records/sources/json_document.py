"""One JSON document of other shapes than COCO's and Karpathy's; the file is read whole.

    [{"image": "dog.jpg", "caption": "A dog."}, …]              an array of objects (records.sources.objects)
    {"dog.jpg": ["A dog.", "A brown dog."], …}                  a mapping from photos to captions
    {"dog.jpg": {"caption": "A dog.", "tags": "dog"}, …}        a mapping from photos to objects
    {"dog": ["1.jpg", "2.jpg"], …}                              a mapping from keywords to photos
    {"train": […], "val": […]}, {"data": […]}                   such an array or mapping under a key, or for each split
    {"image": ["dog.jpg", …], "caption": ["A dog.", …]}         columns as lists, or as pandas writes them
"""

import json
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadField, BadRow, Row, known_split, shown
from records.sources.caption_rows import caption_rows
from records.sources.names import has_image_suffix
from records.sources.objects import is_row, rows_of
from records.sources.table import Table

_EXPECTED = ('an array of objects such as {"image": "dog.jpg", "caption": "A dog."}, or an object such as '
             '{"dog.jpg": ["A dog."]}')


def matches(table: Table) -> bool:
    """It begins like a JSON array or object and not like JSON lines."""
    head = table.head.lstrip()
    if head.startswith("["):
        return head[1:].lstrip().startswith(("{", "[", "]"))
    return head.startswith("{") and not _is_lines(head)


def _is_lines(head: str) -> bool:
    """Whether the first line is one whole JSON value and others follow."""
    line, _, rest = head.partition("\n")
    if not rest.strip():
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption.

    Raises:
      UserError: the file is no JSON, or of no shape that tells photos and captions.
    """
    document = table.document()
    rows = _rows(document, table, "", None)
    if rows is None:
        found = (f"an object with the keys {shown(', '.join(document))}" if isinstance(document, dict) else
                 f"an array of {shown(document[0])}, …" if isinstance(document, list) and document else
                 "nothing" if document in ([], {}) else f"a {type(document).__name__}")
        raise UserError(f"--captions: {table.path}: no captions in this JSON: expected {_EXPECTED}, found {found}")
    yield from rows


def _rows(value: object, table: Table, path: str, split: str | None) -> Iterator[Row | BadRow] | None:
    """The rows of a part of the document, or None where its shape tells none."""
    if isinstance(value, list):
        return _of_array(value, table, path, split) if any(map(is_row, value)) else _of_lists(value, table, path, split)
    if not isinstance(value, dict) or not value:
        return None
    if (items := _from_columns(value, table.path)) is not None:
        return _of_array(items, table, path, split)
    if is_row(value):
        return rows_of(value, table, f"{table.name}:{path or '$'}", split=split)
    parts = [(key, part) for key, part in value.items() if isinstance(part, list | dict)]
    found = [rows for key, part in parts if not has_image_suffix(key) and not _is_caption_list(part)
             and (rows := _rows(part, table, f"{path}.{key}".lstrip("."), _split_of(key) or split)) is not None]
    if found:
        return (row for rows in found for row in rows)
    return _of_mapping(value, table, path, split) if _is_mapping(value) else None


def _split_of(key: str) -> str | None:
    try:
        return known_split(key)
    except BadField:
        return None


def _of_array(items: list[Any], table: Table, path: str, split: str | None) -> Iterator[Row | BadRow]:
    for index, item in enumerate(items):
        where = f"{table.name}:{path}[{index}]"
        if isinstance(item, dict):
            yield from rows_of(item, table, where, split=split)
        else:
            yield BadRow(where, "", f"array element is no object: {shown(item)}")


def _of_lists(items: list[Any], table: Table, path: str, split: str | None) -> Iterator[Row | BadRow] | None:
    """[["dog.jpg", "A dog."], …], with a header or without."""
    if not items or not all(isinstance(item, list) and len(item) > 1 for item in items[:20]):
        return None
    if columns.find(items[0], columns.IMAGE) is not None and columns.find_captions(items[0]):
        return _of_array([dict(zip(map(str, items[0]), item, strict=False)) if isinstance(item, list) else item
                          for item in items[1:]], table, path, split)
    if len(items[0]) == 2 and has_image_suffix(items[0][0]):
        return _of_array([{"image": item[0], "caption": item[1]} if isinstance(item, list) and len(item) == 2 else item
                          for item in items], table, path, split)
    return None


def _from_columns(value: dict[Any, Any], path: str) -> list[Any] | None:
    """The objects that pandas' `split` form, or columns as lists or as objects, stand for; None if it is neither."""
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return [dict(zip(map(str, value["columns"]), item, strict=False)) if isinstance(item, list) else item
                for item in value["data"]]
    names = list(value)
    image, captions = columns.find(names, columns.IMAGE), columns.find_captions(names)
    if image is None or not captions:
        return None
    used = [value[names[index]] for index in (image, captions[0])]
    if all(isinstance(column, dict) and len(column) > 0 for column in used) and used[0].keys() == used[1].keys():
        lists = {name: column for name, column in value.items() if isinstance(column, dict)}
        return [{name: column.get(row) for name, column in lists.items()} for row in used[0]]
    if all(isinstance(column, list) for column in used) and len(used[0]) != len(used[1]) and all(
            isinstance(item, str) and has_image_suffix(item) for item in used[0]):
        raise UserError(f"--captions: {path}: {names[image]} has {len(used[0]):,} entries and {names[captions[0]]} "
                        f"{len(used[1]):,}; give each photo its caption, as in {_EXPECTED}")
    if all(isinstance(column, list) for column in used) and len(used[0]) == len(used[1]) and len(used[0]) > 1:
        equal = {name: column for name, column in value.items()
                 if isinstance(column, list) and len(column) == len(used[0])}
        return [dict(zip(equal, row, strict=True)) for row in zip(*equal.values(), strict=True)]
    return None


def _is_caption_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_mapping(value: dict[Any, Any]) -> bool:
    """Whether the keys are photos: most look like files, or all values are lists of texts or objects with captions."""
    if sum(map(has_image_suffix, value)) * 2 > len(value):
        return True
    return all(item and (_is_caption_list(item) or (isinstance(item, list) and all(
        isinstance(caption, dict) and columns.find_captions(list(caption)) for caption in item)) or (
        isinstance(item, dict) and columns.find_captions(list(item)))) for item in value.values())


def _are_files_of(key: str, value: object) -> bool:
    """Whether a value lists the photos of a class: names of files, or names in a folder called like the key."""
    return not has_image_suffix(key) and isinstance(value, list) and bool(value) and all(
        isinstance(item, str) and (has_image_suffix(item) or item.startswith(f"{key}/")) for item in value)


def _of_mapping(value: dict[Any, Any], table: Table, path: str, split: str | None) -> Iterator[Row | BadRow]:
    by_keyword = all(_are_files_of(name, item) for name, item in value.items())
    for name, item in value.items():
        where = f"{table.name}:{path}[{json.dumps(name, ensure_ascii=False)}]"
        if by_keyword:
            yield from (table.row(image, [name], where, split, columns.KEYWORDS[0]) for image in item)
            continue
        if isinstance(item, dict):
            yield from rows_of(item, table, where, name=name, split=split)
            continue
        yield from caption_rows(table, name, [("captions", item)], where, split)
