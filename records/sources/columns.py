"""Which column of a table, or key of a JSON object, names the image, the caption and the split."""

from collections.abc import Iterable

# In order of preference: a table with both a caption and a tags column is a table of captions.
IMAGE = ("image", "image_name", "image_file", "image_path", "filename", "file_name", "file", "filepath", "file_path",
         "path", "img", "img_name", "photo", "picture", "image_id", "img_id", "photo_id", "key", "name", "id")
CAPTION = ("caption", "captions", "text", "caption_text", "comment", "comments", "sentence", "sentences",
           "description", "raw", "title", "tags", "keywords", "labels")
SPLIT = ("split", "set", "subset", "partition")


def normalised(name: object) -> str:
    """' Image Name' as 'image_name'."""
    return "_".join(str(name).lower().replace("-", " ").replace("_", " ").split())


def find(names: Iterable[object], wanted: tuple[str, ...]) -> int | None:
    """Position of the column that best fits `wanted`, or None."""
    given = [normalised(name) for name in names]
    return next((given.index(name) for name in wanted if name in given), None)
