"""Which column of a table, or key of a JSON object, names the image, the caption and the split."""

from collections.abc import Iterable

from records.sources.base import BadRow, Row, make_keyword_row, make_row

# In order of preference: a table with both a caption and a tags column is a table of captions.
IMAGE = ("image", "image_name", "image_file", "image_path", "filename", "file_name", "file", "filepath", "file_path",
         "path", "img", "img_name", "photo", "picture", "image_id", "img_id", "photo_id", "key", "name", "id")
CAPTION = ("caption", "captions", "text", "caption_text", "comment", "comments", "sentence", "sentences",
           "description", "raw", "title", "tags", "keywords", "labels", "classes", "categories", "tag", "keyword",
           "label", "class", "category")
KEYWORDS = CAPTION[CAPTION.index("tags"):]
SINGLE = KEYWORDS[KEYWORDS.index("tag"):]  # one a row, whatever spaces are in it
SPLIT = ("split", "set", "subset", "partition")


def normalised(name: object) -> str:
    """' Image Name' as 'image_name'."""
    return "_".join(str(name).lower().replace("-", " ").replace("_", " ").split())


def find(names: Iterable[object], wanted: tuple[str, ...]) -> int | None:
    """Position of the column that best fits `wanted`, or None."""
    given = [normalised(name) for name in names]
    return next((given.index(name) for name in wanted if name in given), None)


def text_row(column: str, image: object, value: object, where: str, split: object = None) -> Row | BadRow:
    """A Row of captions or of keywords, as the column's normalised name says."""
    if column in KEYWORDS:
        return make_keyword_row(image, value, where, split, single=column in SINGLE)
    return make_row(image, value, where, split)
