"""Photos as files: their content, or why there is none, and the rows that the model answers."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from flags.tag import Tag
from records.util.regular_files import NotRegular, open_binary
from tagger.saved_model.loaded import SavedModel

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
MAX_FILE_BYTES = 256 << 20
_DIGITS = 4  # of a score
# What cameras and make_records have beside the formats that TensorFlow decodes.
_OTHER_FORMATS = ((b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"\0\0\0\x0cjP  ", "JPEG 2000"),
                  (b"\xffO\xffQ", "JPEG 2000"))
_BRANDS = {b"avi": "AVIF", b"hei": "HEIC", b"hev": "HEIC", b"mif": "HEIC or AVIF", b"msf": "HEIC or AVIF"}


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """In place of a photo's bytes: why they cannot be had."""

    reason: str


def read_photo(path: epath.PathLike) -> bytes | Unreadable:
    """The bytes of a regular file of at most MAX_FILE_BYTES."""
    try:
        with open_binary(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except NotRegular as error:
        return Unreadable(str(error.strerror))
    except (OSError, ValueError) as error:  # a zero byte in a name is a ValueError
        return Unreadable(f"cannot be read ({getattr(error, 'strerror', None) or error})")
    return data if len(data) <= MAX_FILE_BYTES else Unreadable(f"is larger than {MAX_FILE_BYTES >> 20} MB")


def options_of(config: Tag) -> dict[str, float]:
    """Options of a request to the export, for those that a flag gives."""
    asked = {"min_score": config.min_score, "top_tags": config.top_tags}
    return {name: value for name, value in asked.items() if value is not None}


def answer_photos(model: SavedModel, contents: Sequence[bytes | Unreadable], options: Mapping[str, float] = {}
                  ) -> list[dict[str, Any]]:
    """Per photo: caption, tags and scores, best first; or error."""
    answers = iter(model.answer([content for content in contents if isinstance(content, bytes)], **options))
    rows = []
    for content in contents:
        if isinstance(content, Unreadable):
            rows.append({"error": content.reason})
            continue
        answer = next(answers)
        rows.append(row(answer) if answer["valid"] else
                    {"error": unread_reason(content)})
    return rows


def unread_reason(content: bytes) -> str:
    """Why the model decodes no picture of these bytes."""
    form = next((form for start, form in _OTHER_FORMATS if content.startswith(start)), None)
    if content[4:8] == b"ftyp":
        form = _BRANDS.get(content[8:11])
    if form is not None:
        return f"{form}, which the model does not read: convert it to JPEG or PNG, see docs/data.md"
    return f"{len(content)} bytes that are no image TensorFlow can decode"


def row(answer: dict[str, Any]) -> dict[str, Any]:
    """A valid answer of the model as caption, tags and scores."""
    return {"caption": answer["caption"], "tags": [tag for tag, _ in answer["tags"]],
            "scores": [round(score, _DIGITS) for _, score in answer["tags"]]}
