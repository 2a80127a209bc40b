"""Karpathy's split files (dataset_coco.json, dataset_flickr30k.json): images with sentences and a split.

Format: https://cs.stanford.edu/people/karpathy/deepimagesent. The file is read whole. `restval` counts as train,
as everywhere in the literature.
"""

from collections.abc import Iterator

from etils import epath

from flags.errors import UserError
from records.sources.base import BadField, BadRow, Row, image_name, printable, shown
from records.sources.table import Table


def matches(table: Table) -> bool:
    """It is one JSON object in which sentences appear early on."""
    return (table.head.lstrip().startswith("{") and '"images"' in table.head
            and any(f'"{key}"' in table.head for key in ("sentences", "sentids")))


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per sentence; an image without sentences is a BadRow.

    Raises:
      UserError: the file is no JSON, or has no list of images.
    """
    document = table.document()
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list):
        raise UserError(f"--captions: {table.path}: no Karpathy split file: expected an object with the list `images`, "
                        f"found {shown(document)}")
    folders: bool | None = None  # whether images lie in the folders that `filepath` names, or all in --images
    for index, image in enumerate(images):
        where = f"{table.name}:images[{index}]"
        if not isinstance(image, dict) or not isinstance(image.get("sentences"), list):
            yield BadRow(where, "", f"image is no object with sentences: {shown(image)}")
            continue
        name, folder = image.get("filename"), image.get("filepath")
        if isinstance(folder, str) and folder and isinstance(name, str):
            if folders is None:
                folders = _in_folders(table.images, folder, name)
            name = name if folders is False else f"{folder}/{name}"
        if not image["sentences"]:
            yield BadRow(where, printable(name), "photo has no caption")
        for number, sentence in enumerate(image["sentences"]):
            place = f"{where}.sentences[{number}]"
            if isinstance(sentence, dict):
                yield table.row(name, sentence.get("raw"), place, image.get("split"))
            else:
                yield BadRow(place, printable(name), f"sentence is no object: {shown(sentence)}")


def _in_folders(images: str, folder: str, name: str) -> bool | None:
    """True for --images/val2014/NAME, False for --images/NAME, None when this image is in neither place."""
    root = epath.Path(images)
    try:
        if (root / image_name(f"{folder}/{name}")).exists():
            return True
        return False if (root / image_name(name)).exists() else None
    except (BadField, OSError):
        return None
