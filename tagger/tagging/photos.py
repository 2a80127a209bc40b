"""Photos as files: their content, or why there is none, and the rows that the model answers."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from etils import epath

from records.util.regular_files import NotRegular, open_binary
from tagger.saved_model.loaded import SavedModel

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
MAX_FILE_BYTES = 256 << 20
_DIGITS = 4  # of a score


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


def answer_photos(model: SavedModel, contents: Sequence[bytes | Unreadable]) -> list[dict[str, Any]]:
    """Per photo: caption, tags and scores, best first; or error."""
    answers = iter(model.answer([content for content in contents if isinstance(content, bytes)]))
    rows = []
    for content in contents:
        if isinstance(content, Unreadable):
            rows.append({"error": content.reason})
            continue
        answer = next(answers)
        rows.append(row(answer) if answer["valid"] else
                    {"error": f"{len(content)} bytes that are no image TensorFlow can decode"})
    return rows


def row(answer: dict[str, Any]) -> dict[str, Any]:
    """A valid answer of the model as caption, tags and scores."""
    return {"caption": answer["caption"], "tags": [tag for tag, _ in answer["tags"]],
            "scores": [round(score, _DIGITS) for _, score in answer["tags"]]}
