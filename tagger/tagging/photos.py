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
                    {"error": f"{len(content)} bytes that are no image TensorFlow can decode"})
    return rows


def row(answer: dict[str, Any]) -> dict[str, Any]:
    """A valid answer of the model as caption, tags and scores."""
    return {"caption": answer["caption"], "tags": [tag for tag, _ in answer["tags"]],
            "scores": [round(score, _DIGITS) for _, score in answer["tags"]]}
