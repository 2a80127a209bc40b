"""What a cell of a table or a JSON value says: one caption, several, or the tags of a photo.

    texts("A dog.", "caption")                          ["A dog."]
    texts('["A dog.", "A brown dog."]', "caption")      ["A dog.", "A brown dog."]     JSON's, Python's, numpy's lists
    texts([{"raw": "A dog."}], "sentences")             ["A dog."]
    texts(["a", "dog"], "caption")                      ["a dog"]                      a caption as its words
    texts(["traffic light", "bus"], "tags")             [["traffic light", "bus"]]     the keywords of one photo
"""

import ast
import csv
import re
from collections.abc import Sequence
from typing import Any

from records.sources import columns
from records.sources.base import BadField, shown
from records.sources.json_text import loads, values_of

_BRACKETS = {"[": "]", "(": ")", "{": "}"}
# Quantifiers that give nothing back: a cell may be a megabyte long, and hostile.
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.|"")*+")"""
_LIST = re.compile(rf"\s*+{_QUOTED}(?:(?:\s*+[,;]\s*+|\s++){_QUOTED})*+\s*+[,;]?\s*+", re.DOTALL)
_ITEM = re.compile(_QUOTED, re.DOTALL)
_ESCAPE = re.compile(r'\\(.)|""', re.DOTALL)
_BARE_LIST = re.compile(r"\s*(?:\[[^\[\]]*\]|\{[^{}:]*\})\s*")  # [dog, cat]
_LITERAL_CHARACTERS = 1 << 16  # Python's own reader is slow and deep
_DEPTH = 4


def texts(value: object, column: object) -> list[Any]:
    """The captions of a value, or one list or cell of keywords; `Table.row` is still to check each.

    Args:
      column: name of the column or key that it is the value of; it tells keywords from captions.

    Raises:
      BadField: the value begins like a list and is none, as one that was cut.
    """
    return _keywords(value) if columns.is_keywords(column) else _captions(value, _DEPTH)


def texts_of(fields: Sequence[tuple[object, object]]) -> list[Any]:
    """Like `texts`, for several (column, value) pairs: caption_0, caption_1, …. Empty ones among them do not count."""
    found = [text for column, value in fields for text in texts(value, column)]
    if len(fields) == 1:
        return found
    found = [text for text in found if text is not None and str(text).strip()]
    if found and columns.is_keywords(fields[0][0]):
        return [[keyword for text in found for keyword in (text if isinstance(text, list) else [text])]]
    return found


def _captions(value: Any, depth: int) -> list[Any]:
    if isinstance(value, str) and (written := written_value(value)) is not None:
        value = written
    if isinstance(value, dict):
        names = list(value)
        found = columns.find_captions(names) if depth else []
        return [text for i in found for part in values_of(value[names[i]])
                for text in _captions(part, depth - 1)] if found else [value]
    if not isinstance(value, list) or depth == 0:
        return [value]
    if _are_words(value):
        return [" ".join(value)]
    result: list[Any] = []
    for item in value:
        if isinstance(item, list) and item and all(isinstance(word, str) for word in item):
            result.append(" ".join(item))
        else:
            result += _captions(item, depth - 1) if isinstance(item, dict | list) else [item]
    return result


def _keywords(value: Any) -> list[Any]:
    if isinstance(value, str):
        written = written_value(value)
        if written is None:
            return [_bare_list(value.strip()[1:-1]) if _BARE_LIST.fullmatch(value) else value]
        value = written
    if isinstance(value, dict):
        name = _keyword(value)
        scored = [key for key, score in value.items() if isinstance(score, int | float)]
        value = [name] if name is not None else scored if len(scored) == len(value) else value
    if not isinstance(value, list):
        return [value]
    names = [_keyword(item) for item in value]
    return [] if not value else [value] if None in names else [names]


def _bare_list(text: str) -> str | list[str]:
    """What brackets hold without quotes, `dog, cat`, or with some, as Postgres writes them; spaces tell nothing yet."""
    if "," in text or not text.strip().count(" "):
        return next(csv.reader([text], skipinitialspace=True), [])
    return text


def written_value(text: str) -> Any:
    """A list or object written out in a text, as JSON, Python, numpy, MATLAB or Postgres do; None if it is none.

    Raises:
      BadField: it begins like a list of texts and is none.
    """
    text = text.strip()
    if len(text) < 2 or text[0] not in _BRACKETS:
        return None
    if text[-1] == _BRACKETS[text[0]]:
        try:
            value = loads(text)
            if isinstance(value, list | dict):
                return value
        except (ValueError, RecursionError):
            pass
        if _LIST.fullmatch(text, 1, len(text) - 1):
            # Not by Python's reader: it would join texts that no comma separates, as numpy prints them.
            return [_ESCAPE.sub(lambda match: match[1] or '"', item[1:-1]) for item in _ITEM.findall(text)]
        if len(text) < _LITERAL_CHARACTERS:
            try:
                value = ast.literal_eval(text)
                if isinstance(value, list | dict):
                    return value
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
    if text.startswith(("['", '["', "[ '", '[ "', "{'caption", '{"caption')):
        raise BadField(f"caption is a list that cannot be read: {shown(text)}; write it whole, as JSON does")
    return None


_KEYWORD_KEYS = (*columns.KEYWORDS, "name", "names", "value", "title", "text", "rectanglelabels", "polygonlabels",
                 "choices")


def _keyword(item: Any) -> str | int | float | None:
    """A keyword, alone or as an object with its name."""
    if isinstance(item, dict):
        keys = {columns.compact(key): value for key, value in item.items()}
        item = next((keys[key] for key in map(columns.compact, _KEYWORD_KEYS) if keys.get(key)), None)
        if isinstance(item, list) and len(item) == 1:
            item = item[0]
    return item if isinstance(item, str | int | float) and not isinstance(item, bool) else None


def _are_words(items: list[Any]) -> bool:
    """Several texts of one word each, and not each of them a sentence of its own."""
    return (len(items) > 1 and all(isinstance(item, str) and len(item.split()) == 1 for item in items)
            and not all(item.strip()[0].isupper() for item in items))
