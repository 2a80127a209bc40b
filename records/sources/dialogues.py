"""Dialogues about a photo, as vision-language models are trained with: the answers are its captions.

    {"image": "a.jpg", "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "A dog."}]}
    {"messages": [{"role": "user", "content": [{"type": "image", "image": "a.jpg"}]},
                  {"role": "assistant", "content": "A dog."}]}
"""

import re
from typing import Any

KEYS = ("conversations", "messages")
_ANSWERS = ("gpt", "assistant", "model", "bot")
_IMAGE_TAG = re.compile(r"<img>([^<>]+)</img>")  # Qwen-VL's


def turns(value: dict[Any, Any]) -> list[dict[Any, Any]] | None:
    """The turns of an object's dialogue; None where it has none."""
    for key in KEYS:
        if isinstance(value.get(key), list):
            return [turn for turn in value[key] if isinstance(turn, dict)]
    return None


def answers(dialogue: list[dict[Any, Any]]) -> list[Any]:
    """What the model says, turn by turn."""
    return [_text(turn.get("value", turn.get("content"))) for turn in dialogue
            if turn.get("from", turn.get("role")) in _ANSWERS]


def images(dialogue: list[dict[Any, Any]]) -> list[str]:
    """The photos that the turns themselves name."""
    names: list[str] = []
    for turn in dialogue:
        content = turn.get("value", turn.get("content"))
        if isinstance(content, str):
            names += _IMAGE_TAG.findall(content)
        for part in content if isinstance(content, list) else ():
            image = part.get("image", part.get("image_url")) if isinstance(part, dict) else None
            image = image.get("url") if isinstance(image, dict) else image
            if isinstance(image, str):
                names.append(image)
    return names


def _text(content: Any) -> Any:
    """The text of a turn; of one in parts, that of its text parts."""
    if not isinstance(content, list):
        return content
    return " ".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
