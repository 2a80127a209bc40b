"""A mode's flags as a frozen dataclass: one definition serves absl, Python callers and config.json.

    @dataclasses.dataclass(frozen=True)
    class Train(Flags):
        records_dir: str = flag(help="Folder that make_records wrote.", path=True)      # no default: required
        epochs: int = flag(25, "Passes over the train split at the most.", at_least=1)
        precision: str = flag("auto", "Why one would change it.", choices=("auto", "float32"))
        images: tuple[str, ...] = positional("IMAGE", "Photos to tag.", path=True)

`define` turns the fields into absl flags, `read` turns parsed absl flags back into the dataclass. Whoever makes an
instance, types, bounds and choices are checked, and `~` in paths is the user's home folder.
Supported types: str, int, float, bool, tuple[str, ...] (comma-separated), and `X | None` of the first three. A str flag
that is `repeatable` may be given several times; its values are joined by commas.
"""

import dataclasses
import functools
import numbers
import os
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from absl import flags as absl_flags

from flags.errors import UserError

Config = TypeVar("Config")
Value = TypeVar("Value")
_WHOLE, _NUMBER = "a whole number", "a number"


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The range of a number; None where it is open."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return ((self.at_least is None or value >= self.at_least) and (self.above is None or value > self.above)
                and (self.at_most is None or value <= self.at_most) and (self.below is None or value < self.below)
                and value == value)  # NaN is in no range

    def __str__(self) -> str:
        """Such as "at least 0 and below 1"."""
        parts = [("at least", self.at_least), ("more than", self.above), ("at most", self.at_most),
                 ("below", self.below)]
        return " and ".join(f"{words} {bound:g}" for words, bound in parts if bound is not None) or "a number"


def flag(default: Any = dataclasses.MISSING, help: str = "", choices: Sequence[str] | None = None, *,
         at_least: float | None = None, above: float | None = None, at_most: float | None = None,
         below: float | None = None, path: bool = False, repeatable: bool = False,
         as_in_train: bool = True) -> Any:
    """A dataclass field that becomes an absl flag of the same name; without a default it is required.

    Args:
      choices: the values that it can have.
      at_least, above, at_most, below: the range of a number.
      path: it names a file or a folder, in which `~` is the user's home folder.
      repeatable: a text that may be given several times.
      as_in_train: False where train has a flag of the same name with another meaning; a flag file that describes a
        training is then not read for this one.
    """
    bounds = Bounds(at_least, above, at_most, below)
    return dataclasses.field(default=default, kw_only=True, metadata={
        "help": help, "choices": choices, "bounds": bounds, "path": path, "repeatable": repeatable,
        "as_in_train": as_in_train})


def positional(name: str, help: str = "", path: bool = False) -> Any:
    """A dataclass field of type tuple[str, ...] that takes the arguments after the flags."""
    return dataclasses.field(default=(), metadata={"positional": name, "help": help, "path": path}, kw_only=True)


class Flags:
    """Base of every mode's dataclass: an instance has no value that its flag would refuse.

    Raises:
      UserError: when it is made with a value of another type, outside its bounds, or not among the choices.
    """

    def __post_init__(self) -> None:
        config_class: Any = type(self)
        hints = _hints(config_class)
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.metadata["path"] and isinstance(value, str | os.PathLike | tuple | list):
                value = _expanded(value)
            elif isinstance(value, list):
                value = tuple(value)
            object.__setattr__(self, field.name, value)
            _check_type(field.name, value, hints[field.name])
            if "positional" not in field.metadata and value is not None:
                _check(field.name, value, field.metadata["bounds"], field.metadata["choices"])


def _expanded(value: Any) -> Any:
    """A path, or several, with the home folder in place of a `~` at the start."""
    if isinstance(value, tuple | list):
        return tuple(map(_expanded, value))
    return value and os.path.expanduser(value)


@functools.cache
def _hints(config: Any) -> dict[str, Any]:
    return typing.get_type_hints(config)


# Of each type of a flag: what its values are called, and the classes that they may have (NumPy's numbers too).
_TYPES: dict[Any, tuple[str, type]] = {bool: ("True or False", bool), int: (_WHOLE, numbers.Integral),
                                       float: (_NUMBER, numbers.Real), str: ("text", str)}


def _check_type(name: str, value: Any, annotation: Any) -> None:
    """Raises UserError where a value, from Python, is not of its flag's type."""
    kind = _kind(annotation)
    if value is None and isinstance(annotation, types.UnionType):
        return
    if kind is tuple:
        if not isinstance(value, tuple) or not all(isinstance(part, str) for part in value):
            raise UserError(f"--{name}={value!r}: expected several texts, as a tuple or list")
        return
    words, allowed = _TYPES[kind]
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"--{name}={value!r}: expected {words}")


class _WholeNumbers(absl_flags.IntegerParser):
    """Reads whole numbers, and says so where there is none."""

    def convert(self, argument: Any) -> int:
        return _converted(super().convert, argument, _WHOLE)


class _Numbers(absl_flags.FloatParser):
    """Likewise for any number."""

    def convert(self, argument: Any) -> float:
        return _converted(super().convert, argument, _NUMBER)


def _converted(convert: Callable[[Any], Value], argument: Any, words: str) -> Value:
    try:
        return convert(argument)
    except (ValueError, TypeError):
        raise ValueError(f"expected {words}") from None


def _check(name: str, value: Any, bounds: Bounds, choices: Sequence[str] | None) -> None:
    if isinstance(value, int | float) and value not in bounds:
        raise UserError(f"--{name}={value}: expected {bounds}")
    if choices and value not in choices:
        raise UserError(f"--{name}={value}: expected one of {', '.join(choices)}")


def _kind(annotation: Any) -> Any:
    """int for `int` and for `int | None`; likewise for the other types."""
    if isinstance(annotation, types.UnionType):
        return next(a for a in typing.get_args(annotation) if a is not type(None))
    return typing.get_origin(annotation) or annotation


def define(config: type, values: absl_flags.FlagValues) -> None:
    """Defines one absl flag on `values` for every field of the dataclass `config`."""
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        if "positional" in field.metadata:
            continue
        required = field.default is dataclasses.MISSING
        default: Any = None if required else field.default
        text = field.metadata["help"] + (" Required." if required else "")
        common: dict[str, Any] = {"flag_values": values, "module_name": config.__module__}
        kind, choices = _kind(hints[field.name]), field.metadata["choices"]
        if choices:
            absl_flags.DEFINE_enum(field.name, default, list(choices), text, **common)
        elif field.metadata["repeatable"]:
            # absl adds how to give several, after a semicolon, and would show no value as "['']".
            absl_flags.DEFINE_multi_string(field.name, default or None, text.rstrip("."), **common)
        elif kind is bool:
            absl_flags.DEFINE_boolean(field.name, default, text, **common)
        elif kind is int:
            absl_flags.DEFINE(_WholeNumbers(), field.name, default, text, **common)
        elif kind is float:
            absl_flags.DEFINE(_Numbers(), field.name, default, text, **common)
        elif kind is tuple:
            absl_flags.DEFINE_list(field.name, default and list(default), text, **common)
        else:
            absl_flags.DEFINE_string(field.name, default, text, **common)


def usage(config: type) -> str:
    """The shape of a call's arguments: required flags, that there are others, and what comes after them.

    For Tag: "--export_dir=… [--flag=value …] IMAGE…".
    """
    fields = dataclasses.fields(config)
    required = [f"--{field.name}=…" for field in fields
                if field.default is dataclasses.MISSING and "positional" not in field.metadata]
    arguments = [f"{field.metadata['positional']}…" for field in fields if "positional" in field.metadata]
    return " ".join([*required, "[--flag=value …]", *arguments])


def argument_help(config: type) -> str:
    """What the arguments after the flags are, a line each with its name; "" for a mode that takes none."""
    return "\n".join(f"{field.metadata['positional']}: {field.metadata['help']}" for field in dataclasses.fields(config)
                     if "positional" in field.metadata)


def read(config: type[Config], values: absl_flags.FlagValues, arguments: Sequence[str]) -> Config:
    """Builds `config` from parsed flags and the arguments after them.

    Raises:
      UserError: a required flag is missing, or arguments were given to a mode that takes none.
    """
    kwargs: dict[str, Any] = {}
    takes_arguments = False
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        if "positional" in field.metadata:
            kwargs[field.name], takes_arguments = tuple(arguments), True
            continue
        value = values[field.name].value
        if value is None and field.default is dataclasses.MISSING:
            raise UserError(f"--{field.name} is required: {field.metadata['help']}")
        if field.metadata["repeatable"] and isinstance(value, list):
            value = ",".join(value)
        elif field.metadata["repeatable"] and value is None:
            value = field.default
        kwargs[field.name] = tuple(value) if isinstance(value, list) else value
    if arguments and not takes_arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}: this mode takes flags only, written --name=value")
    return config(**kwargs)


def pairs(text: str, flag_name: str) -> dict[str, str]:
    """'train=16,test=~/test.txt' as {'train': '16', 'test': '/home/me/test.txt'}, in the order written.

    Raises:
      UserError: a part has no '=', an empty side, or repeats a name; the message names `flag_name`.
    """
    result: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (s.strip() for s in part.partition("="))
        if not (name and equals and value):
            raise UserError(f"--{flag_name}: found {part!r}, expected name=value parts separated by commas")
        if name in result:
            raise UserError(f"--{flag_name}: {name!r} is given twice; give it once")
        result[name] = os.path.expanduser(value)
    return result
