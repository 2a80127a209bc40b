"""Flags kept in files: one a line, or the config.json of a run.

    --epochs=3          # a comment: from a "#" after a space on
    --records_dir data  # a space instead of "="
    --nofresh
    --flagfile=more.flags

    lines, others = split(["--mode=train", "--flagfile=job.flags"])
    arguments = [*of_mode(lines, Train, others), *others]   # what comes last wins: the command line
"""

import csv
import dataclasses
import io
import json
import os
import re
from collections.abc import Sequence

from flags.errors import UserError
from flags.modes import MODES


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of the flag files that a command line names, and its other arguments.

    Raises:
      UserError: a flag file cannot be read, or is a JSON file that is not the config.json of a run.
    """
    lines, others = list[str](), list[str]()
    arguments = iter(argv)
    for argument in arguments:
        if argument in ("--flagfile", "-flagfile"):
            argument = f"--flagfile={next(arguments, '')}"
        if not argument.startswith(("--flagfile=", "-flagfile=")):
            others.append(argument)
            continue
        lines += _lines_of_file(os.path.expanduser(argument.partition("=")[2]))
    return lines, others


def _lines_of_file(path: str, inside: Sequence[str] = ()) -> list[str]:
    """The flags of a file; `inside`: the flag files that name it, outermost first."""
    if path in inside:
        raise UserError(f"--flagfile={path}: names itself by way of {', '.join(inside)}; remove one of these lines")
    try:
        if path.endswith(".json"):
            return _lines_of_config(path)
        with open(path, encoding="utf-8-sig") as file:
            found = [_as_argument(line) for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--flagfile={path}: cannot be read ({getattr(error, 'strerror', None) or error}); give a text "
                        "file with one flag a line") from error
    lines = list[str]()
    for argument in filter(None, found):
        name, _, value = argument.partition("=")
        if name.lstrip("-") == "flagfile":
            lines += _lines_of_file(os.path.expanduser(value), [*inside, path])
        else:
            lines.append(argument)
    return lines


def _as_argument(line: str) -> str:
    """A line of a flag file as an argument of a command line; "" where it is empty or a comment."""
    text = re.sub(r"(^|\s)#.*", "", line).strip()
    return "" if text.startswith("//") else re.sub(r"^(--?\w+)\s*[\s=]\s*", r"\1=", text)


def _lines_of_config(path: str) -> list[str]:
    """What a run's config.json says, as flags: the way to repeat that run."""
    with open(path, encoding="utf-8") as file:
        try:
            config = json.load(file)
            del config["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"--flagfile={path}: is not the config.json of a run; give one that train wrote, or a "
                            "file with one flag a line") from error
    config.pop("run_id", None)  # of that run, not of the next
    return [f"--{name}={as_text(value)}" for name, value in config.items() if value is not None]


def as_text(value: object) -> str:
    """A flag's value as absl reads it; elements of a list or tuple may hold commas."""
    if not isinstance(value, list | tuple):
        return str(value)
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(value)
    return text.getvalue()


def of_mode(lines: Sequence[str], config_class: type, arguments: Sequence[str] = ()) -> list[str]:
    """The lines of a flag file without those that only other modes know.

    So one file describes a whole job, records to export. What no mode knows stays in, and is refused. Two more kinds
    go: those `of_training`; and a repeatable flag that `arguments`, the command line, gives too, as it would be added
    to and the command line is to win.
    """
    others = set().union(*(names(mode.load_flags()) for mode in MODES.values())) - names(config_class)
    given = {_flag_name(argument) for argument in arguments if argument.startswith("-")}
    others |= {field.name for field in dataclasses.fields(config_class)
               if field.metadata.get("repeatable") and field.name in given}
    training = of_training(lines, config_class)
    return [line for line in lines if _flag_name(line) not in others and line not in training]


def of_training(lines: Sequence[str], config_class: type, arguments: Sequence[str] = ()) -> list[str]:
    """The lines of a flag file that describes a training whose flags mean something else to this mode.

    Such as --batch_size=4096, captions of a step, to eval, which computes images; `of_mode` leaves them out. A file
    describes a training where it has a flag that only train knows. None of a flag that `arguments` gives too.
    """
    train = names(MODES["train"].load_flags())
    only_train = train.difference(*(names(mode.load_flags()) for name, mode in MODES.items() if name != "train"))
    if not only_train.intersection(map(_flag_name, lines)):
        return []
    given = {_flag_name(argument) for argument in arguments if argument.startswith("-")}
    own = {field.name for field in dataclasses.fields(config_class) if not field.metadata.get("as_in_train", True)}
    return [line for line in lines if _flag_name(line) in own - given]


def names(config_class: type) -> set[str]:
    return {field.name for field in dataclasses.fields(config_class)}


def _flag_name(argument: str) -> str:
    name = argument.lstrip("-").partition("=")[0]
    return name if "=" in argument else name.removeprefix("no")  # --nofresh is how absl writes --fresh=false
