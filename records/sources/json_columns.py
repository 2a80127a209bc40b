"""Objects from JSON that has them as columns or as rows without keys, as pandas and spreadsheets write them.

    {"image": ["dog.jpg", …], "caption": ["A dog.", …]}                             columns as lists
    {"image": {"0": "dog.jpg", …}, "caption": {"0": "A dog.", …}}                   columns as objects
    {"caption": {"dog.jpg": "A dog.", …}}                                           the photo as pandas' index
    {"columns": ["image", "caption"], "index": […], "data": [["dog.jpg", "A dog."], …]}
    [["image", "caption"], ["dog.jpg", "A dog."], …]                                with a header or without
"""

from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.json_text import values_of
from records.sources.names import has_image_suffix
from records.sources.objects import is_file


def from_lists(items: list[Any]) -> list[Any] | None:
    """The objects that lists of cells stand for, a list with too many cells as it is; None if they are no such rows."""
    if not items or not all(isinstance(item, list) for item in items[:20]) or len(items[0]) < 2:
        return None
    if all(isinstance(name, str) for name in items[0]) and columns.find(items[0], columns.IMAGE) is not None and (
            columns.find_captions(items[0])):
        return [_object(items[0], item) for item in items[1:]]
    if len(items[0]) == 2 and has_image_suffix(items[0][0]) and not has_image_suffix(items[0][1]):
        return [{"image": item[0], "caption": item[1]} if isinstance(item, list) and len(item) == 2 else item
                for item in items]
    return None


def from_columns(value: dict[Any, Any], path: str) -> list[Any] | None:
    """The objects that columns stand for; None if it is none.

    Raises:
      UserError: columns have different lengths, so that nobody knows what belongs together.
    """
    names, tables = value.get("columns"), values_of(value.get("data"))
    if isinstance(names, list) and all(isinstance(table, list) for table in tables):
        names, rows = [str(name) for name in names], [row for table in tables for row in table]
        index = value.get("index")
        if isinstance(index, list) and len(index) == len(rows) and columns.find(names, columns.IMAGE) is None:
            names = [*names, "image"]
            rows = [[*row, name] if isinstance(row, list) else row for row, name in zip(rows, index, strict=True)]
        return [_object(names, row) for row in rows]
    value = {f"{name} {number}" if number else name: part for name, parts in value.items()
             for number, part in enumerate(values_of(parts))}
    names = list(value)
    image = columns.find(names, columns.IMAGE)
    captions = [names[index] for index in columns.find_captions(names)]
    if not captions:
        return None
    if image is None:
        return _by_index(value, captions)
    used = {name: value[name] for name in (names[image], *captions)}
    if all(isinstance(column, dict) for column in used.values()) and not is_file(value[names[image]]):
        return _of_objects(value, used)
    if all(isinstance(column, list) for column in used.values()) and (len(captions) == 1 or all(
            isinstance(item, str | int) for item in value[names[image]])):
        return _of_lists(value, used, path)
    return None


def _object(names: list[Any], cells: Any) -> Any:
    """The object of a row; columns of one name are several, as `caption` and `caption 1`."""
    if not isinstance(cells, list) or any(cell not in (None, "") for cell in cells[len(names):]):
        return cells
    keys = [f"{name} {names[:index].count(name)}" if name in names[:index] else str(name)
            for index, name in enumerate(names)]
    return dict(zip(keys, cells, strict=False))


def _by_index(value: dict[Any, Any], captions: list[str]) -> list[Any] | None:
    """Columns as objects whose keys are photos."""
    first = value[captions[0]]
    if not isinstance(first, dict) or not first or not all(map(has_image_suffix, first)):
        return None
    parts = [column for column in value.values() if isinstance(column, list | dict)]
    if not all(isinstance(column, dict) and column.keys() <= first.keys() for column in parts):
        return None
    rows = _of_objects(value, {captions[0]: first})
    return None if rows is None else [{**row, "image": key} for key, row in zip(first, rows, strict=True)]


def _of_objects(value: dict[Any, Any], used: dict[str, Any]) -> list[Any] | None:
    """Columns whose keys are rows; those that a column lacks are without its value."""
    first, second = (list(used.values()) * 2)[:2]
    if len(first.keys() & second.keys()) * 2 <= len(first.keys() | second.keys()):
        return None
    keys = dict.fromkeys(key for column in used.values() for key in column)
    lists = {name: column for name, column in value.items() if isinstance(column, dict)}
    return [{name: column[key] for name, column in lists.items() if key in column} for key in keys]


def _of_lists(value: dict[Any, Any], used: dict[str, Any], path: str) -> list[Any] | None:
    (image, photos), *captions = used.items()
    for name, column in captions:
        if column and len(column) != len(photos) > 1 and all(isinstance(item, str | int) for item in photos):
            raise UserError(f"--captions: {path}: {image} has {len(photos):,} entries and {name} {len(column):,}; give "
                            'each photo its caption, as in an array of objects such as {"image": "dog.jpg", "caption": '
                            '"A dog."}')
    if len(photos) < 2 or any(len(column) != len(photos) for _, column in captions):
        return None
    equal = {name: column for name, column in value.items() if isinstance(column, list) and len(column) == len(photos)}
    split = columns.find(value, columns.SPLIT)
    same = {} if split is None or not isinstance(list(value.values())[split], str) else {
        list(value)[split]: list(value.values())[split]}
    return [{**same, **dict(zip(equal, row, strict=True))} for row in zip(*equal.values(), strict=True)]
