"""Which column of a table, or key of a JSON object, names the image, the caption or the keywords, and the split."""

import functools
import re
from collections.abc import Iterable, Sequence

# In order of preference: a table with both a caption and a tags column is a table of captions.
IMAGE = ("image", "image_name", "image_file", "image_path", "filename", "file_name", "file", "filepath", "file_path",
         "path", "img", "img_name", "photo", "picture", "image_id", "img_id", "photo_id", "key", "name", "id",
         "image_filename", "image_file_name", "images", "img_path", "img_file", "photo_name", "photo_file",
         "photo_path", "source_file", "fname", "image_index", "url", "image_url")
# One keyword a row, whatever spaces are in it.
SINGLE = ("tag", "keyword", "label", "class", "category", "class_name", "category_name", "label_name")
KEYWORDS = ("tags", "keywords", "labels", "classes", "categories", *SINGLE, "tag_string", "subject", "subjects",
            "finding_labels")
CAPTION = ("caption", "captions", "text", "caption_text", "comment", "comments", "sentence", "sentences",
           "description", "raw", "title", *KEYWORDS[:3], "alt_text", "phrase", "image_caption", "image_description",
           "tokens", "prompt", "alt", "caption_str", "generated_caption", "blip_caption",
           *KEYWORDS[3:])
SPLIT = ("split", "set", "subset", "partition", "set_name", "split_name", "data_split", "dataset_split")

# What messages ask for: the most common names.
HEADER = ("a header such as image,caption (image may also be called filename, file, path or photo, caption text, "
          "description, title, tags or keywords)")

_NUMBERED = re.compile(r"(.{,60}?[a-z])\W{,3}\d{1,4}\W{,3}")  # caption2, caption.1, caption #1


def normalised(name: object) -> str:
    """' Image Name' as 'image_name'."""
    return "_".join(str(name).lower().replace("-", " ").replace("_", " ").split())


@functools.lru_cache(maxsize=256)  # of every key of every object
def compact(name: object) -> str:
    """'imagePath' and 'Image Path' as 'imagepath': names are compared like this."""
    return normalised(name).replace("_", "")


_COMPACT: dict[tuple[str, ...], tuple[str, ...]] = {
    names: tuple(map(compact, names)) for names in (IMAGE, CAPTION, SPLIT, KEYWORDS, SINGLE)}


def find_all(names: Iterable[object], kind: tuple[str, ...]) -> list[int]:
    """Positions of the columns of a kind (IMAGE, CAPTION, …), the preferred one first."""
    given = [compact(name) for name in names]
    return [given.index(name) for name in dict.fromkeys(_COMPACT[kind]) if name in given]


def find(names: Iterable[object], kind: tuple[str, ...]) -> int | None:
    """Position of the column that best fits a kind, or None."""
    return next(iter(find_all(names, kind)), None)


def find_captions(names: Sequence[object]) -> list[int]:
    """Positions of the columns with captions or keywords: the best one, and those that have its name with a number.

    `caption, caption_2`, `caption_0, caption_1` and `tag1, tag2` are several columns; [] where there is none.
    """
    given = [compact(name) for name in names]
    numbered = [match[1] if (match := _NUMBERED.fullmatch(name)) else name for name in given]
    for wanted in _COMPACT[CAPTION]:
        if wanted in given or wanted in numbered:
            return [i for i, name in enumerate(numbered) if name == wanted or given[i] == wanted]
    return []


def is_keywords(name: object) -> bool:
    """Whether a column holds keywords rather than captions: tags, label2, Keywords, …."""
    return _is_of(name, KEYWORDS)


def is_single(name: object) -> bool:
    """Whether a column's name is that of one keyword: `label`, not `labels`."""
    return _is_of(name, SINGLE)


@functools.lru_cache(maxsize=256)  # asked once a row
def _is_of(name: object, kind: tuple[str, ...]) -> bool:
    text = compact(name)
    match = _NUMBERED.fullmatch(text)
    return text in _COMPACT[kind] or (match is not None and match[1] in _COMPACT[kind])
