"""One JSON object as the captions of one image; JSON lines, arrays and mappings are made of such objects.

    {"image": "dog.jpg", "caption": "A dog."}          one caption
    {"image": "dog.jpg", "captions": ["A dog.", …]}    several, see records.sources.texts
    {"image": "dog.jpg", "tags": ["dog", "grass"]}     keywords
    {"image": "dog.jpg", "conversations": [{"from": "gpt", "value": "A dog."}]}     LLaVA; also "messages"
    {"imagePath": "dog.jpg", "shapes": [{"label": "dog"}]}                          LabelMe and other annotations
"""

from collections.abc import Iterator
from typing import Any

from records.images.extents import Extent
from records.sources import columns, dialogues
from records.sources.base import BadField, BadRow, Row, printable, shown
from records.sources.caption_rows import caption_rows
from records.sources.names import has_image_suffix
from records.sources.table import Table
from records.sources.texts import texts, written_value

# Where annotation tools put objects with a label each.
_ANNOTATIONS = ("annotations", "objects", "shapes", "regions", "detections", "boxes", "instances")
# Keys that number objects: a dialogue with one of these alone is about no photo.
_NUMBERS = ("id", "key", "name")
# VizWiz marks captions that say nothing of the photo; Open Images gives 0 to labels that people found absent.
_REJECTED = ("is_rejected", "is_precanned")


def is_row(value: object) -> bool:
    """Whether an object names an image and has captions or tags."""
    if not isinstance(value, dict):
        return False
    value = _flat(value)
    image, captions = _image(value, None), _captions(value)
    if captions is None or dialogues.turns(value) is not None:
        return captions is not None
    # Lists of both are columns.
    return isinstance(image, str | int | float) or isinstance(image, list) and not isinstance(captions[0][1], list)


def rows_of(value: dict[Any, Any], table: Table, where: str, name: object = None,
            split: object = None, extent: Extent | None = None) -> Iterator[Row | BadRow]:
    """One row per caption of an object.

    Args:
      table: that it is of.
      where: its place there.
      name: the image, where the object itself names none.
      split: the split, where the object itself names none.
      extent: where the image lies, of one inside an archive.
    """
    value = _flat(value)
    image = _image(value, name)
    found = _captions(value)
    keys = shown(", ".join(map(str, value)))
    if isinstance(image, list) and len(image) > 1:
        yield BadRow(where, "", f"object names several images: {shown(image)}; a caption is of one")
        return
    if image is None and (columns.find(value, columns.IMAGE) is None or dialogues.turns(value) is not None):
        yield BadRow(where, "", f"object names no image: its keys are {keys}, expected image, file_name or the like")
        return
    if found is None:
        yield BadRow(where, printable(image), f"object has no caption: its keys are {keys}, expected caption, tags or "
                     "the like")
        return
    if (reason := left_out({columns.normalised(key): text for key, text in value.items()})) is not None:
        yield BadRow(where, printable(image), reason)
        return
    column = columns.find(value, columns.SPLIT)
    split = split if column is None else list(value.values())[column]
    yield from caption_rows(table, image, found, where, split, extent)


def left_out(fields: dict[str, Any]) -> str | None:
    """Why the table itself says that a caption is not to be used, or None; the fields by normalised name."""
    for name in _REJECTED:
        if str(fields.get(name, "")).strip().lower() in ("true", "1", "yes"):
            return f"caption is marked {name}"
    if str(fields.get("confidence", "")).strip() in ("0", "0.0") and ("label_name" in fields or "labelname" in fields):
        return "label is marked as absent: its confidence is 0"
    return None


def _flat(value: dict[Any, Any]) -> dict[Any, Any]:
    """The object with the keys of the objects in it, where it lacks an image or captions: Label Studio's `data`."""
    if columns.find(value, columns.IMAGE) is not None and _captions(value) is not None:
        return value
    inner = [item for item in value.values() if isinstance(item, dict) and (
        columns.find_captions(list(item)) or not _is_file(item))]
    return {**{key: text for item in inner for key, text in item.items()}, **value} if inner else value


def _image(value: dict[Any, Any], name: object) -> object:
    """The file's name among all keys that could hold it: a path is preferred to a URL, text to anything else."""
    names, given = list(value), list(value.values())
    found = columns.find_all(names, columns.IMAGE)
    if (dialogue := dialogues.turns(value)) is not None and all(names[index] in _NUMBERS for index in found):
        inside = dialogues.images(dialogue)
        return inside if len(inside) > 1 else inside[0] if inside else name
    values = [file_of(given[index]) for index in found]
    if values and isinstance(values[0], list) and len(values[0]) > 1:
        return values[0]
    if not values:
        values = [text for text in given if has_image_suffix(text)]
    files = [text for text in values if isinstance(text, str) and "://" not in text]
    files.sort(key=lambda text: not has_image_suffix(text))
    usable: list[str | int | float] = [*files] or [text for text in values if isinstance(text, str | int | float)]
    return usable[0] if usable else name if name is not None else next(iter(values), None)


_FILE_KEYS = ("path", "file_name", "filename", "name")


def _is_file(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(key), str) for key in _FILE_KEYS)


def file_of(value: object) -> object:
    """What a value says of the file: "a.jpg", ["a.jpg"], {"path": "a.jpg", "bytes": null} or that as text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = written_value(value) or value
        except BadField:
            return value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and _is_file(value):
        value = next(value[key] for key in _FILE_KEYS if isinstance(value.get(key), str))
    return value


def _captions(value: dict[Any, Any]) -> list[tuple[str, Any]] | None:
    """(key, value) of each key with captions or tags; None where there is none."""
    if (dialogue := dialogues.turns(value)) is not None:
        return [("captions", dialogues.answers(dialogue))]
    names, values = list(value), list(value.values())
    if found := columns.find_captions(names):
        return [(names[index], values[index]) for index in found]
    for key in _ANNOTATIONS:
        items = value.get(key)
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
            column = columns.find_captions(list(items[0]))
            name = next(iter(items[0].keys()), "") if not column else list(items[0])[column[0]]
            if column and not columns.is_keywords(name):
                return [(name, [item.get(name) for item in items])]
            return [("tags", _once(items))]
    return None


def _once(items: list[Any]) -> list[Any]:
    """Annotations without those that equal an earlier one: a photo with two dogs has one tag `dog`."""
    labels = [texts(item, "tags") for item in items]
    return [item for index, item in enumerate(items) if labels[index] not in labels[:index]]
