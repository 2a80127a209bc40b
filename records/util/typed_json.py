"""JSON that other programs, people and failing disks may have changed, read into dataclasses or refused.

    value = loads(data)                                # ValueError: no JSON, or numbers and texts that nothing can use
    info, faults = read(ShardInfo, value, "shard")     # a line for every value of a wrong type or range
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

_SHOWN = 60  # characters of a wrong value


@dataclasses.dataclass(frozen=True)
class Check:
    """What a value must be beside its type: Annotated[int, Check(lambda value: value > 0, "more than 0")]."""

    test: Callable[[Any], bool]
    expected: str


def between(least: float, most: float) -> Check:
    """A number within bounds; NaN is within none."""
    return Check(lambda value: least <= value <= most, f"{least:,} to {most:,}")


Count = Annotated[int, between(0, 2**63 - 1)]


def loads(data: bytes | str, infinite: bool = False) -> Any:
    """Parses JSON text.

    Args:
      infinite: takes NaN, Infinity and numbers beyond float64, which JSON does not know.

    Raises:
      ValueError: it is no JSON, nested too deeply, holds such a number, or text that no UTF-8 file can hold.
    """
    def number(text: str) -> float:
        value = float(text)
        if not infinite and not math.isfinite(value):
            raise ValueError(f"the number {text[:_SHOWN]} is too large")
        return value

    def constant(text: str) -> float:
        if not infinite:
            raise ValueError(f"{text} is no number")
        return float(text)

    try:
        value = json.loads(data, parse_float=number, parse_constant=constant)
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if "\\u" in text or any("\ud800" <= character <= "\udfff" for character in text if character > "\ud7ff"):
            # Half of a surrogate pair is no text, but for those that stand for the bytes of a path that are no UTF-8.
            json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape")
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def read(annotation: Any, value: Any, where: str) -> tuple[Any, list[str]]:
    """Parsed JSON as the annotated type.

    Args:
      annotation: a dataclass, int, float, str, bool, X | None, tuple[X, ...], dict[str, X], Any, or Annotated with
        Checks. An int is taken where a float is expected.
      where: what messages call the value.

    Returns:
      (the value, no faults), or (None, a line for each of the values that do not fit).
    """
    faults: list[str] = []
    result = _read(annotation, value, where, faults)
    return (None, faults) if faults else (result, [])


def _read(annotation: Any, value: Any, where: str, faults: list[str]) -> Any:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return value
    if origin is Annotated:
        before = len(faults)
        result = _read(arguments[0], value, where, faults)
        for check in arguments[1:]:
            if len(faults) == before and not check.test(result):
                faults.append(f"{where} is {_shown(value)}, expected {check.expected}")
        return result
    if origin is types.UnionType or origin is typing.Union:  # the latter is what Annotated makes of it
        return None if value is None else _read(arguments[0], value, where, faults)
    if dataclasses.is_dataclass(annotation):
        return _read_dataclass(annotation, value, where, faults)
    kind = {tuple: list}.get(origin, origin or annotation)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        value = float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        faults.append(f"{where} is {_shown(value)}, expected {_name(kind)}")
        return None
    if origin is dict:
        for key in value:
            _read(arguments[0], key, f"a name in {where}", faults)
        return {key: _read(arguments[1], item, f"{where}.{key[:_SHOWN]}", faults) for key, item in value.items()}
    if origin is tuple:
        return tuple(_read(arguments[0], item, f"{where}[{i}]", faults) for i, item in enumerate(value))
    return value


def _read_dataclass(annotation: Any, value: Any, where: str, faults: list[str]) -> Any:
    if not isinstance(value, Mapping):
        faults.append(f"{where} is {_shown(value)}, expected a JSON object")
        return None
    hints = typing.get_type_hints(annotation, include_extras=True)
    required = {field.name for field in dataclasses.fields(annotation)
                if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING}
    before = len(faults)
    faults += [f"{where} lacks {name}" for name in sorted(required - set(value))]
    faults += [f"{where} has {name[:_SHOWN]!r}, which is unknown" for name in sorted(set(value) - set(hints))]
    known = {name: _read(hint, value[name], f"{where}.{name}", faults) for name, hint in hints.items() if name in value}
    return annotation(**known) if len(faults) == before else None


def _name(kind: type) -> str:
    return {int: "an integer", float: "a number", str: "a text", bool: "true or false", list: "a list",
            dict: "a JSON object"}.get(kind, kind.__name__)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN - 1] + "…"
