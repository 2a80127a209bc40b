"""One JSON document of other shapes than COCO's and Karpathy's; the file is read whole.

    [{"image": "dog.jpg", "caption": "A dog."}, …]              an array of objects (records.sources.objects)
    {"dog.jpg": ["A dog.", "A brown dog."], …}                  a mapping from photos to captions
    {"dog.jpg": {"caption": "A dog.", "tags": "dog"}, …}        a mapping from photos to objects
    {"dog": ["1.jpg", "2.jpg"], …}                              a mapping from keywords to photos
    {"train": […], "val": […]}, {"data": […]}                   such an array or mapping under a key, or for each split
    {"image": ["dog.jpg", …], "caption": ["A dog.", …]}         columns (records.sources.json_columns)
    {"0": {"image": "dog.jpg", "caption": "A dog."}, …}         objects under keys that say nothing

An object with the lists `images` and `annotations` is read as COCO's wherever it is.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import coco, dialogues
from records.sources.base import BadField, BadRow, Row, image_name, printable, shown
from records.sources.caption_rows import caption_rows
from records.sources.columns import KEYWORDS, compact, find_captions
from records.sources.json_columns import from_columns, from_lists
from records.sources.json_text import is_lines, values_of
from records.sources.names import FileNames, has_image_suffix
from records.sources.objects import caption_keys, certainty, holds_texts, is_file, is_row, photo_of, rows_of
from records.sources.table import Table

_EXPECTED = ('an array of objects such as {"image": "dog.jpg", "caption": "A dog."}, or an object such as '
             '{"dog.jpg": ["A dog."]}')
_DEPTH = 12  # of parts in parts
_SAMPLE = 20  # entries of a part that tell what it is
_MOST_KEYS = 1000  # of an object that is no mapping
# Keys of what describes a data set, and of texts that do.
_ABOUT = ("info", "meta", "metadata", "about", "header", "config", "schema", "features", "license", "licenses",
          "categories")
_DESCRIPTIONS = ("description", "title", "comment", "comments", "subject", "label")


def matches(table: Table) -> bool:
    """It begins like a JSON array or object and not like JSON lines."""
    head = table.head.lstrip()
    if head.startswith("["):
        return head[1:].lstrip().startswith(("{", "[", "]"))
    return head.startswith("{") and not is_lines(head)


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


def is_container(value: object, table: Table) -> bool:
    """Whether a JSON value holds rows in parts of it, rather than being one row."""
    return isinstance(value, dict) and (not is_row(value) or bool(_outranking(value, table)))


def _rows(value: object, table: Table, path: str, split: str | None, depth: int = _DEPTH
          ) -> Iterator[Row | BadRow] | None:
    """The rows of a part of the document, or None where its shape tells none."""
    if depth == 0 or not value:
        return None
    if isinstance(value, list):
        items = from_lists(value) or value
        first = (item for item in items[:_SAMPLE] if isinstance(item, dict))
        if any(map(is_row, items)) or any(_rows(item, table, "", None, depth - 1) is not None for item in first):
            return _of_array(items, table, path, split, depth)
        return None
    if not isinstance(value, dict):
        return None
    if not _may_be_container(value) and is_row(value):
        return rows_of(value, table, f"{table.name}:{path or '$'}", split=split)
    if coco.is_coco(value):
        return coco.rows_of(value, table, f"{path}." if path else "", split)
    if len(value) <= _MOST_KEYS and (columns := from_columns(value, table.path)) is not None:
        others = {key: part for key, part in value.items() if isinstance(part, list) and len(part) != len(columns)
                  and any(isinstance(item, dict) for item in part) and not (key == "data" and "columns" in value)}
        return itertools.chain(_of_array(columns, table, path, split, depth),
                               _of_parts(others, table, path, split, depth))
    if _has_photo_keys(value, table):
        return _of_mapping(value, table, path, split, depth)
    if is_row(value):
        outranking = _outranking(value, table, depth)
        return _beside_parts(value, outranking, table, path, split, depth) if outranking else rows_of(
            value, table, f"{table.name}:{path or '$'}", split=split)
    if any(_rows(part, table, "", None, depth - 1) is not None for _, part in _parts(value)):
        return _of_parts(value, table, path, split, depth)
    if (pairs := from_lists(list(value.values()))) is not None:
        return _of_array(pairs, table, path, split, depth)
    return _of_mapping(value, table, path, split, depth) if _is_mapping(value) else None


def _parts(value: dict[Any, Any]) -> Iterator[tuple[str, list[Any] | dict[Any, Any]]]:
    """The arrays and objects in an object, but for those that describe it where there are others."""
    parts = [(key, part) for key, several in value.items() for part in values_of(several)
             if isinstance(part, list | dict) and part]
    yield from [(key, part) for key, part in parts if compact(key) not in _ABOUT] or parts


def _place(path: str, key: str) -> str:
    return f"{path}.{key}".lstrip(".") if key.isidentifier() else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _outranking(value: dict[Any, Any], table: Table, depth: int = _DEPTH) -> list[str]:
    """Keys of an object that seems to be a row, whose parts are rows with a better claim: it describes a data set."""
    own = certainty(value)
    merged = [part for part in value.values() if isinstance(part, dict) and is_row(part)]  # what made it a row, if one
    used = caption_keys(value)
    result = []
    for key, part in ((key, part) for key, several in value.items() for part in values_of(several)):
        rank = _rank(part, table, depth - 1)
        if compact(key) in _ABOUT and rank < 3:
            continue
        if key in used:
            better = rank > own or rank == own == 3 and _other_photos(part, value)
        else:
            better = rank > own or rank == own and part not in merged[:1]
        if rank and better:
            result.append(key)
    return result


def _rank(value: object, table: Table, depth: int) -> int:
    """The greatest certainty of the rows in a part; 0 where there are none."""
    if depth <= 0 or not value:
        return 0
    if isinstance(value, list):
        return max((_rank(item, table, depth - 1) for item in (from_lists(value) or value)[:_SAMPLE]
                    if isinstance(item, dict)), default=0)
    if not isinstance(value, dict):
        return 0
    if coco.is_coco(value) or _has_photo_keys(value, table):
        return 3
    if len(value) <= _MOST_KEYS and from_columns(value, table.path) is not None:
        return 3
    inner = max((_rank(part, table, depth - 1) for _, part in itertools.islice(_parts(value), _SAMPLE)), default=0)
    return max(inner, certainty(value) if is_row(value) else 0)


def _other_photos(part: object, value: dict[Any, Any]) -> bool:
    items = part if isinstance(part, list) else []
    return any(certainty(item) == 3 and photo_of(item) != photo_of(value) for item in items[:_SAMPLE])


def _beside_parts(value: dict[Any, Any], keys: list[str], table: Table, path: str, split: str | None, depth: int
                  ) -> Iterator[Row | BadRow]:
    """Rows of the parts of an object that has a name and a text itself, which may be a row too or describe the rest."""
    if not is_row({key: part for key, part in value.items() if not isinstance(part, dict)}):
        yield from _of_parts(value, table, path, split, depth)
        return
    rest = {key: part for key, part in value.items() if key not in keys}
    where = f"{table.name}:{path or '$'}"
    if is_row(rest) and certainty(rest) == 3:
        yield from rows_of(rest, table, where, split=split)
    elif is_row(rest) and any(compact(key) not in _DESCRIPTIONS for key in caption_keys(rest)):
        yield BadRow(where, printable(photo_of(rest)), "object stands beside rows and names no image file: it is taken "
                     f"for a description of them: {shown(', '.join(rest))}")
    yield from _of_parts({key: value[key] for key in keys}, table, path, split, depth)


def _of_parts(value: dict[Any, Any], table: Table, path: str, split: str | None, depth: int) -> Iterator[Row | BadRow]:
    """Rows of the parts, and what is left out of parts that are about photos and of no known shape."""
    about = {key for key, _ in _parts(value)}
    for key, several in value.items():
        for part in values_of(several):
            place, part_split = _place(path, key), coco.split_of(key) or split
            if not isinstance(part, list | dict):
                if key.isdecimal() and part is not None:
                    yield BadRow(f"{table.name}:{place}", "", f"entry is no object: {shown(part)}")
            elif part and (key in about or _rank(part, table, depth - 1) == 3):
                rows = _rows(part, table, place, part_split, depth - 1)
                yield from _unread(key, part, table, place, part_split, depth) if rows is None else rows


def _unread(key: str, part: list[Any] | dict[Any, Any], table: Table, path: str, split: str | None, depth: int
            ) -> Iterator[Row | BadRow]:
    """Why a part beside others with rows gives none, entry by entry, where it is about photos; nothing of others."""
    if isinstance(part, list):
        if coco.split_of(key) or any(certainty(item) > 1 for item in part):
            yield from _of_array(part, table, path, split, depth)
    elif certainty(part) > 1 or key.isdecimal():
        yield from rows_of(part, table, f"{table.name}:{path}", split=split)
    elif _about_photos(part, depth - 1):
        yield from _of_parts(part, table, path, split, depth - 1)


def _about_photos(part: object, depth: int) -> bool:
    if depth <= 0 or not isinstance(part, list | dict):
        return False
    return certainty(part) > 1 or any(_about_photos(item, depth - 1) for item in (
        part.values() if isinstance(part, dict) else part))


def _of_array(items: list[Any], table: Table, path: str, split: str | None, depth: int) -> Iterator[Row | BadRow]:
    for index, item in enumerate(items):
        place = f"{path}[{index}]"
        if isinstance(item, dict):
            rows = _rows(item, table, place, split, depth - 1) if _may_be_container(item) else None
            yield from rows_of(item, table, f"{table.name}:{place}", split=split) if rows is None else rows
        else:
            yield BadRow(f"{table.name}:{place}", "", f"array element is no object: {shown(item)}")


def _may_be_container(value: dict[Any, Any]) -> bool:
    """Whether an object holds objects that are neither its captions nor its file, or names of photos as keys."""
    return any("." in key and has_image_suffix(key) for key in value) or any(
        _holds_objects(key, part) for key, part in value.items() if isinstance(part, dict | list))


def _holds_objects(key: str, part: Any) -> bool:
    if isinstance(part, dict):
        return not is_file(part) and not holds_texts(key)
    return bool(part) and isinstance(part[0], dict | list) and key not in dialogues.KEYS and (
        not holds_texts(key) or is_row(part[0]))


def _is_caption_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _has_photo_keys(value: dict[Any, Any], table: Table) -> bool:
    """Whether keys are photos' names: files' by their suffix, or of files that exist."""
    if any(map(has_image_suffix, value)):
        return True
    if not table.images or not all(isinstance(part, list | dict) for part in value.values()) or is_row(value):
        return False
    return any(_is_photo(key, table) for key in itertools.islice(value, 2))


def _is_photo(key: str, table: Table) -> bool:
    """Whether there is an image file of that name, which may lack its suffix."""
    files = FileNames(table.images)
    try:
        name = files.complete(image_name(key, table.images))
    except BadField:
        return False
    return has_image_suffix(name) and files.exists(name)


def _is_mapping(value: dict[Any, Any]) -> bool:
    """Whether the keys are photos: all values are lists of texts or objects with captions."""
    return all(item and (_is_caption_list(item) or (isinstance(item, list) and all(
        isinstance(caption, dict) and find_captions(list(caption)) for caption in item)) or (
        isinstance(item, dict) and find_captions(list(item)))) for several in value.values()
        for item in values_of(several))


def _are_files_of(key: str, value: object) -> bool:
    """Whether a value lists the photos of a class: names of files, or names in a folder called like the key."""
    return not has_image_suffix(key) and all(isinstance(part, list) and bool(part) and all(
        isinstance(item, str) and (has_image_suffix(item) or item.startswith(f"{key}/")) for item in part)
        for part in values_of(value))


def _of_mapping(value: dict[Any, Any], table: Table, path: str, split: str | None, depth: int
                ) -> Iterator[Row | BadRow]:
    by_keyword = all(_are_files_of(name, item) for name, item in value.items())
    photos = sum(map(has_image_suffix, value))
    mostly = photos * 2 > len(value)
    for name, several in value.items():
        where = f"{table.name}:{path}[{json.dumps(name, ensure_ascii=False)}]"
        if by_keyword:
            yield from (table.row(image, [name], where, split, KEYWORDS[0]) for images in values_of(several)
                        for image in images)
            continue
        texts = []
        for item in values_of(several):
            rows = None
            if photos and not has_image_suffix(name) and isinstance(item, list | dict):
                if compact(name) in _ABOUT and _rank(item, table, depth - 1) < 3:
                    continue
                rows = _rows(item, table, _place(path, name), coco.split_of(name) or split, depth - 1)
            elif _other_photos(item, {"image": name}):
                rows = _rows(item, table, _place(path, name), split, depth - 1)
            if rows is not None:
                yield from rows
            elif isinstance(item, dict) and all(key.isdecimal() and isinstance(item[key], str) for key in item):
                texts += [("captions", text) for text in item.values()]
            elif isinstance(item, dict):
                yield from rows_of(item, table, where, name=name, split=split)
            elif photos and not has_image_suffix(name) and not isinstance(item, list) and not (
                    _is_photo(name, table) if table.images else mostly):
                yield BadRow(where, printable(name), "key beside names of image files is none itself")
            else:
                texts.append(("captions", item))
        if texts:
            yield from caption_rows(table, name, texts, where, split)
