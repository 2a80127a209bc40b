"""One JSON object as the captions of one image; JSON lines, arrays and mappings are made of such objects.

    {"image": "dog.jpg", "caption": "A dog."}          one caption
    {"image": "dog.jpg", "captions": ["A dog.", …]}    several, see records.sources.texts
    {"image": "dog.jpg", "tags": ["dog", "grass"]}     keywords
    {"image": "dog.jpg", "conversations": [{"from": "gpt", "value": "A dog."}]}     LLaVA; also "messages"
    {"imagePath": "dog.jpg", "shapes": [{"label": "dog"}]}                          LabelMe and other annotations
"""

import functools
from collections.abc import Iterator
from typing import Any

from records.images.extents import Extent
from records.sources import columns, dialogues
from records.sources.base import BadField, BadRow, Row, printable, shown
from records.sources.caption_rows import caption_rows
from records.sources.json_text import Several, values_of
from records.sources.names import has_image_suffix
from records.sources.table import Table
from records.sources.texts import texts, written_value

# Where annotation tools put objects with a label each.
_ANNOTATIONS = ("annotations", "objects", "shapes", "regions", "detections", "boxes", "instances")
# Keys that number objects: a dialogue with one of these alone is about no photo.
_NUMBERS = ("id", "key", "name")
# Keys of an image's name that may also be of something else: a caption, an author, a data set.
_WEAK = (*_NUMBERS, "url")
_MOST_KEYS = 1000  # of an object about one photo
# VizWiz marks captions that say nothing of the photo; Open Images gives 0 to labels that people found absent.
_REJECTED = ("is_rejected", "is_precanned")


def is_row(value: object) -> bool:
    """Whether an object names an image and has captions or tags."""
    if not isinstance(value, dict) or len(value) > _MOST_KEYS:
        return False
    value = _flat(value)
    image, captions = _image(value, None), _captions(value)
    if captions is None or dialogues.turns(value) is not None:
        return captions is not None
    # Lists of both are columns.
    return isinstance(image, str | int | float) or isinstance(image, list) and not isinstance(captions[0][1], list)


def certainty(value: object) -> int:
    """How sure it is that an object is about one photo, with captions or not.

    Returns:
      0: it names no image; 1: by a number, a title or a URL; 2: under a key for images; 3: by the name of a file.
    """
    if not isinstance(value, dict) or len(value) > _MOST_KEYS:
        return 0
    value = _flat(value)
    image = _image(value, None)
    if image is None or not isinstance(image, str | int | float):
        return 2 * (dialogues.turns(value) is not None)
    if has_image_suffix(image):
        return 3 if "://" not in str(image) else 2
    names = list(value)
    return 1 if _are_weak(names, columns.find_all(names, columns.IMAGE)) else 2


def _are_weak(names: list[Any], found: list[int]) -> bool:
    return all(columns.compact(names[index]) in _WEAK for index in found)


def photo_of(value: dict[Any, Any]) -> object:
    """What an object calls its photo; None where it names none."""
    return _image(_flat(value), None)


@functools.lru_cache(maxsize=256)  # asked for keys of every object of an array
def holds_texts(key: str) -> bool:
    """Whether a key is one that captions, tags or a dialogue lie under."""
    return bool(columns.find_captions((key,))) or key in _ANNOTATIONS or key in dialogues.KEYS


def caption_keys(value: dict[Any, Any]) -> list[Any]:
    """The keys that hold an object's captions or tags."""
    if dialogues.turns(value) is not None:
        return [key for key in dialogues.KEYS if key in value]
    value = _flat(value)
    names = list(value)
    return [names[index] for index in columns.find_captions(names)] or [key for key in _ANNOTATIONS if key in value]


def rows_of(value: dict[Any, Any], table: Table, where: str, name: object = None,
            split: object = None, extent: Extent | None = None) -> Iterator[Row | BadRow]:
    """One row per caption of an object.

    Args:
      table: that it is of.
      where: its place there.
      name: the image, where the object itself names none, or has no more than a number or a title.
      split: the split, where the object itself names none.
      extent: where the image lies, of one inside an archive.
    """
    inner = _inner(value)
    value = _merged(value, inner)
    image = _image(value, name)
    found = _captions(value)
    keys = shown(", ".join(map(str, value)))
    if (image is None or found is None) and _are_others(inner):
        yield BadRow(where, printable(image), "object holds several objects with a photo or captions each: its keys "
                     f"are {keys}; give each a line, or an entry of an array, of its own")
        return
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
    return _merged(value, _inner(value))


def _merged(value: dict[Any, Any], inner: list[dict[Any, Any]]) -> dict[Any, Any]:
    if not inner or _are_others(inner):
        return value
    return {**{key: text for item in inner for key, text in item.items()}, **value}


def _inner(value: dict[Any, Any]) -> list[dict[Any, Any]]:
    """The objects in an object that lacks an image or captions: not a file's name, none under names of photos."""
    if columns.find(value, columns.IMAGE) is not None and _captions(value) is not None:
        return []
    inner = [item for item in value.values() if isinstance(item, dict) and (
        columns.find_captions(list(item)) or not is_file(item))]
    return [] if inner and any(map(has_image_suffix, value)) else inner


def _are_others(inner: list[dict[Any, Any]]) -> bool:
    """Whether objects are about a photo each, or have captions each, so that merging them would lose some."""
    if len(inner) < 2:
        return False
    captions: set[object] = set()
    photos = rows = 0
    for item in inner:
        names = list(item)
        own = {columns.compact(names[index]) for index in columns.find_captions(names)}
        image = columns.find_all(names, columns.IMAGE)
        photos += not _are_weak(names, image) or any(has_image_suffix(item[names[index]]) for index in image)
        rows += bool(own and image)
        if photos > 1 or rows > 1 or not captions.isdisjoint(own):
            return True
        captions |= own
    return False


def _image(value: dict[Any, Any], name: object) -> object:
    """The file's name among all keys that could hold it: a path is preferred to a URL, text to anything else."""
    names, given = list(value), list(value.values())
    found = columns.find_all(names, columns.IMAGE)
    if (dialogue := dialogues.turns(value)) is not None and all(names[index] in _NUMBERS for index in found):
        inside = dialogues.images(dialogue)
        return inside if len(inside) > 1 else inside[0] if inside else name
    values = [file_of(_once_said(given[index])) for index in found]
    if values and isinstance(values[0], list) and len(values[0]) > 1:
        return values[0]
    if not values:
        values = [text for text in given if has_image_suffix(text)]
    files = [text for text in values if isinstance(text, str) and "://" not in text]
    files.sort(key=lambda text: not has_image_suffix(text))
    usable: list[str | int | float] = [*files] or [text for text in values if isinstance(text, str | int | float)]
    if name is not None and not (files and has_image_suffix(files[0])) and (
            has_image_suffix(name) or _are_weak(names, found)):
        return name
    return usable[0] if usable else name if name is not None else next(iter(values), None)


def _once_said(value: object) -> object:
    """A value that is given more than once and is always the same as one."""
    return value[0] if isinstance(value, Several) and all(item == value[0] for item in value) else value


_FILE_KEYS = ("path", "file_name", "filename", "name")


def is_file(value: object) -> bool:
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
    if isinstance(value, dict) and is_file(value):
        value = next(value[key] for key in _FILE_KEYS if isinstance(value.get(key), str))
    return value


def _captions(value: dict[Any, Any]) -> list[tuple[str, Any]] | None:
    """(key, value) of each key with captions or tags; None where there is none."""
    if (dialogue := dialogues.turns(value)) is not None:
        return [("captions", dialogues.answers(dialogue))]
    names, values = list(value), list(value.values())
    if found := columns.find_captions(names):
        return [(names[index], text) for index in found for text in values_of(values[index])]
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
