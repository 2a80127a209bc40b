"""COCO JSON: `images` with file names, `annotations` with captions (captions_train2017.json) or with categories.

Format: https://cocodataset.org/#format-data. Annotations of objects (instances_train2017.json, and what CVAT, Roboflow
and Label Studio export as COCO) give each image the names of its categories as tags. The file is read whole.
"""

import re
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadField, BadRow, Row, known_split, printable, shown
from records.sources.json_text import is_lines, loads, values_of
from records.sources.objects import left_out
from records.sources.table import Table
from records.sources.texts import texts

_SIGN = re.compile(r'"(annotations|images)"\s*:\s*\[')


def matches(table: Table) -> bool:
    """It is one JSON object that has lists of images and of annotations, as far as its beginning tells."""
    head = table.head.lstrip()
    found = {match[1] for match in _SIGN.finditer(head)}
    if not head.startswith("{") or not found or is_lines(head):
        return False
    if table.is_head_cut:
        return True
    try:
        value = loads(head)
    except (ValueError, RecursionError):
        return len(found) == 2
    return isinstance(value, dict) and is_coco(value)


def is_coco(value: dict[Any, Any]) -> bool:
    """Whether an object is COCO's, wherever in a document it is; ids may be keys of mappings in place of lists."""
    return None not in list(_lists(value))[:2]


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, or one per image with the categories of its objects; an image without any is a BadRow.

    Raises:
      UserError: the file is no JSON, has no `images` and `annotations`, or two images with one id.
    """
    document = table.document()
    parts = [part for part in document.values() if isinstance(part, list | dict)] if isinstance(document, dict) else []
    if parts and all(isinstance(part, dict) and is_coco(part) for part in parts):  # one for each split
        for key, part in document.items():
            if isinstance(part, dict):
                yield from rows_of(part, table, f"{key}.", split_of(key))
        return
    if not isinstance(document, dict) or not is_coco(document):
        raise UserError(f"--captions: {table.path}: no COCO captions: expected an object with the lists `images` and "
                        f"`annotations`, found {_described(document)}; --captions_format=json reads other shapes")
    yield from rows_of(document, table)


def rows_of(document: dict[Any, Any], table: Table, path: str = "", split: str | None = None) -> Iterator[Row | BadRow]:
    """Like `read`, for an object of `is_coco`.

    Args:
      path: its place in the document, "" or one that ends with ".".
      split: of its rows, where the key that it lies under says one.
    """
    images, annotations, categories = _lists(document)
    assert images is not None and annotations is not None
    names: dict[str, Any] = {}
    places: dict[str, int] = {}
    for index, image in enumerate(images):
        if not isinstance(image, dict) or not _is_id(image.get("id")):
            yield BadRow(f"{table.name}:{path}images[{index}]", "", f"image is no object with an id: {shown(image)}")
            continue
        key, name = str(image["id"]), _name(image)
        if key in names and names[key] != name:
            raise UserError(f"--captions: {table.path}: {path}images[{places[key]}] and {path}images[{index}] both "
                            f"have the id {shown(image['id'])} ({shown(names[key])} and {shown(name)}), so that their "
                            "captions cannot be told apart; give each image an id of its own (two files are read by "
                            "--captions=A.json,B.json)")
        names[key], places[key] = name, index
    labels = _labels(categories or [], table.path)
    unseen = dict.fromkeys(names)
    tags: dict[str, dict[str, str]] = {}  # of each image, in order
    for index, annotation in enumerate(annotations):
        where = f"{table.name}:{path}annotations[{index}]"
        if not isinstance(annotation, dict) or not _is_id(annotation.get("image_id")):
            yield BadRow(where, "", f"annotation is no object with an image_id: {shown(annotation)}")
            continue
        key = str(annotation["image_id"])
        if key not in names:
            yield BadRow(where, "", f"image_id is of no image in the file: {shown(annotation['image_id'])}")
            continue
        unseen.pop(key, None)
        if labels and "caption" not in annotation and "category_id" in annotation:
            label = labels.get(str(annotation["category_id"]))
            if isinstance(label, str):
                tags.setdefault(key, {}).setdefault(label, where)
            else:
                yield BadRow(where, printable(names[key]),
                             f"category_id is of no category in the file: {shown(annotation['category_id'])}")
        else:
            yield from _captions(annotation, names[key], table, where, split)
    for key, found in tags.items():
        yield table.row(names[key], list(found), next(iter(found.values())), split, "categories")
    for key in unseen:
        yield BadRow(f"{table.name}:{path}images", printable(names[key]), "photo has no caption")


def split_of(key: str) -> str | None:
    """The split that a key of a document says; None where it says none."""
    try:
        return known_split(key)
    except BadField:
        return None


def _labels(categories: list[Any], path: str) -> dict[str, Any]:
    """The categories' names by their ids."""
    labels: dict[str, Any] = {}
    for category in categories:
        if isinstance(category, dict) and _is_id(category.get("id")):
            name = labels.setdefault(str(category["id"]), category.get("name"))
            if name != category.get("name"):
                raise UserError(f"--captions: {path}: the categories {shown(name)} and {shown(category.get('name'))} "
                                f"both have the id {shown(category['id'])}; give each an id of its own")
    return labels


def _captions(annotation: dict[Any, Any], name: object, table: Table, where: str,
              split: str | None) -> Iterator[Row | BadRow]:
    if (reason := left_out(annotation)) is not None:
        yield BadRow(where, printable(name), reason)
        return
    try:
        captions = [text for value in values_of(_caption(annotation)) for text in texts(value, "caption")]
    except BadField as error:
        yield BadRow(where, printable(name), str(error))
        return
    for index, caption in enumerate(captions):
        yield table.row(name, caption, where if len(captions) == 1 else f"{where} caption {index}", split)


def _name(image: dict[str, Any]) -> object:
    """file_name, or what other programs call it."""
    keys = [key for key in image if key != "id"]
    return image.get("file_name", next((image[keys[i]] for i in columns.find_all(keys, columns.IMAGE)), None))


def _caption(annotation: dict[str, Any]) -> object:
    """caption, or what other programs call it."""
    keys = list(annotation)
    return annotation.get("caption", next((annotation[keys[i]] for i in columns.find_captions(keys)
                                           if not columns.is_keywords(keys[i])), None))


def _lists(document: dict[Any, Any]) -> Iterator[list[Any] | None]:
    for key in ("images", "annotations", "categories"):
        values = [_with_ids(value) for value in values_of(document.get(key))]
        yield [item for value in values for item in value] if all(isinstance(value, list) for value in values) else None


def _with_ids(value: Any) -> Any:
    """A mapping from ids to objects as a list of objects with ids; anything else as it is."""
    if not isinstance(value, dict) or not value or not all(isinstance(item, dict) for item in value.values()):
        return value
    return [{"id": key, **item} for key, item in value.items()]


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)


def _described(document: object) -> str:
    if isinstance(document, dict):
        return f"the keys {shown(', '.join(document))}"
    return f"a {type(document).__name__}"
