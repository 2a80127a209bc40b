"""COCO captions JSON (captions_train2017.json): `images` with file names, `annotations` with captions.

Format: https://cocodataset.org/#format-data, section "Image Captioning". The file is read whole.
"""

import re
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources.base import BadRow, Row, make_row, printable, shown
from records.sources.table import Table

_SIGN = re.compile(r'"(annotations|images)"\s*:\s*\[')


def matches(table: Table) -> bool:
    """It is one JSON object that has a list of images or of annotations early on."""
    return table.head.lstrip().startswith("{") and _SIGN.search(table.head) is not None


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per annotation; an image without annotations is a BadRow.

    Raises:
      UserError: the file is no JSON, or has no `images` and `annotations`.
    """
    document = table.document()
    images, annotations = _lists(document)
    if images is None or annotations is None:
        raise UserError(f"--captions: {table.path}: no COCO captions: expected an object with the lists `images` and "
                        f"`annotations`, found {_described(document)}")
    names: dict[Any, Any] = {}
    for index, image in enumerate(images):
        if isinstance(image, dict) and _is_id(image.get("id")):
            names[image["id"]] = image.get("file_name")
        else:
            yield BadRow(f"{table.name}:images[{index}]", "", f"image is no object with an id: {shown(image)}")
    unseen = dict.fromkeys(names)
    for index, annotation in enumerate(annotations):
        where = f"{table.name}:annotations[{index}]"
        if not isinstance(annotation, dict) or not _is_id(annotation.get("image_id")):
            yield BadRow(where, "", f"annotation is no object with an image_id: {shown(annotation)}")
        elif annotation["image_id"] not in names:
            yield BadRow(where, "", f"image_id is of no image in the file: {shown(annotation['image_id'])}")
        else:
            unseen.pop(annotation["image_id"], None)
            yield make_row(names[annotation["image_id"]], annotation.get("caption"), where)
    for image_id in unseen:
        yield BadRow(f"{table.name}:images", printable(names[image_id]), "image has no caption")


def _lists(document: object) -> Iterator[list[Any] | None]:
    for key in ("images", "annotations"):
        value = document.get(key) if isinstance(document, dict) else None
        yield value if isinstance(value, list) else None


def _is_id(value: object) -> bool:
    return isinstance(value, int | str)


def _described(document: object) -> str:
    if isinstance(document, dict):
        return f"the keys {shown(', '.join(document))}"
    return f"a {type(document).__name__}"
