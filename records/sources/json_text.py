"""JSON text as values, with all values of a key that an object gives more than once; json.loads keeps the last.

    loads('{"a.jpg": "A dog.", "a.jpg": "A brown dog."}')     {"a.jpg": Several(["A dog.", "A brown dog."])}
"""

import json
from typing import Any


class Several(list[Any]):
    """The values of a key that an object gives more than once, in order."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    values: dict[str, list[Any]] = {}
    for key, part in pairs:
        values.setdefault(key, []).append(part)
    return {key: Several(parts) if len(parts) > 1 else parts[0] for key, parts in values.items()}


loads = json.JSONDecoder(object_pairs_hook=_object).decode  # json.loads would make a decoder for each line


def values_of(value: Any) -> list[Any]:
    """Each value of a key; most have one."""
    return list(value) if isinstance(value, Several) else [value]


def is_lines(head: str) -> bool:
    """Whether the first line of a text is one whole JSON value and others follow."""
    line, _, rest = head.partition("\n")
    if not rest.strip():
        return False
    try:
        loads(line)
    except (ValueError, RecursionError):
        return False
    return True
