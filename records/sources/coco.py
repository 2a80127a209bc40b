"""COCO JSON: `images` with file names, `annotations` with captions (captions_train2017.json) or with categories.

Format: https://cocodataset.org/#format-data. Annotations of objects (instances_train2017.json, and what CVAT, Roboflow
and Label Studio export as COCO) give each image the names of its categories as tags. The file is read whole.
"""

import re
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadField, BadRow, Row, printable, shown
from records.sources.objects import left_out
from records.sources.table import Table
from records.sources.texts import texts

_SIGN = re.compile(r'"(annotations|images)"\s*:\s*\[')


def matches(table: Table) -> bool:
    """It is one JSON object that has lists of images and of annotations, as far as its beginning tells."""
    head = table.head.lstrip()
    found = {match[1] for match in _SIGN.finditer(head)}
    return head.startswith("{") and bool(found) and (len(found) == 2 or len(head) >= _LONG)


_LONG = 60_000  # characters of a document that goes on behind the part looked at


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, or one per image with the categories of its objects; an image without any is a BadRow.

    Raises:
      UserError: the file is no JSON, has no `images` and `annotations`, or two images with one id.
    """
    document = table.document()
    images, annotations, categories = _lists(document)
    if images is None or annotations is None:
        raise UserError(f"--captions: {table.path}: no COCO captions: expected an object with the lists `images` and "
                        f"`annotations`, found {_described(document)}")
    names: dict[str, Any] = {}
    places: dict[str, int] = {}
    for index, image in enumerate(images):
        if not isinstance(image, dict) or not _is_id(image.get("id")):
            yield BadRow(f"{table.name}:images[{index}]", "", f"image is no object with an id: {shown(image)}")
            continue
        key, name = str(image["id"]), _name(image)
        if key in names and names[key] != name:
            raise UserError(f"--captions: {table.path}: images[{places[key]}] and images[{index}] both have the id "
                            f"{shown(image['id'])} ({shown(names[key])} and {shown(name)}), so that their captions "
                            "cannot be told apart; give each image an id of its own (two files are read by "
                            "--captions=A.json,B.json)")
        names[key], places[key] = name, index
    labels = {str(category["id"]): category.get("name") for category in categories or ()
              if isinstance(category, dict) and _is_id(category.get("id"))}
    unseen = dict.fromkeys(names)
    tags: dict[str, dict[str, str]] = {}  # of each image, in order
    for index, annotation in enumerate(annotations):
        where = f"{table.name}:annotations[{index}]"
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
            yield from _captions(annotation, names[key], table, where)
    for key, found in tags.items():
        yield table.row(names[key], list(found), next(iter(found.values())), column="categories")
    for key in unseen:
        yield BadRow(f"{table.name}:images", printable(names[key]), "photo has no caption")


def _captions(annotation: dict[Any, Any], name: object, table: Table, where: str) -> Iterator[Row | BadRow]:
    if (reason := left_out(annotation)) is not None:
        yield BadRow(where, printable(name), reason)
        return
    try:
        captions = texts(_caption(annotation), "caption")
    except BadField as error:
        yield BadRow(where, printable(name), str(error))
        return
    for index, caption in enumerate(captions):
        yield table.row(name, caption, where if len(captions) == 1 else f"{where} caption {index}")


def _name(image: dict[str, Any]) -> object:
    """file_name, or what other programs call it."""
    keys = [key for key in image if key != "id"]
    return image.get("file_name", next((image[keys[i]] for i in columns.find_all(keys, columns.IMAGE)), None))


def _caption(annotation: dict[str, Any]) -> object:
    """caption, or what other programs call it."""
    keys = list(annotation)
    return annotation.get("caption", next((annotation[keys[i]] for i in columns.find_captions(keys)
                                           if not columns.is_keywords(keys[i])), None))


def _lists(document: object) -> Iterator[list[Any] | None]:
    for key in ("images", "annotations", "categories"):
        value = document.get(key) if isinstance(document, dict) else None
        yield value if isinstance(value, list) else None


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)


def _described(document: object) -> str:
    if isinstance(document, dict):
        return f"the keys {shown(', '.join(document))}"
    return f"a {type(document).__name__}"
