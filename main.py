"""Trains an image tagger at scale: photos and captions to TFRecords to a merge model to a SavedModel.

    python main.py --mode=MODE [--flag=value …]
    python main.py --mode=MODE --help          the flags of one mode
    python main.py --mode=MODE --flagfile=FILE flags from a file, one a line; one file can serve several modes
"""

import dataclasses
import os
import signal
import sys
from collections.abc import Sequence

from absl import flags as absl_flags

from flags import spec
from flags.errors import UserError
from flags.modes import MODES
from records.start_up import tensorflow_starts

# What TensorFlow's C++ side may print (TF_CPP_MIN_LOG_LEVEL) and Python's absl.logging level, by --verbosity.
_VERBOSITY = {"fatal": ("3", "fatal"), "error": ("2", "error"), "warning": ("1", "warning"), "info": ("0", "info"),
              "debug": ("0", "debug")}


def _base_flags() -> absl_flags.FlagValues:
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_string("mode", None, "What to do; one of the modes.", flag_values=values)
    absl_flags.DEFINE_boolean("help", False, "Show help.", flag_values=values)
    absl_flags.DEFINE_enum("verbosity", "fatal", list(_VERBOSITY), flag_values=values,
                           help="Least severe message of TensorFlow and other libraries that is shown on stderr.")
    return values


def _without_other_modes(argv: Sequence[str], config_class: type) -> list[str]:
    """The command line with its flag files expanded, less the lines in them that are meant for other modes.

    So one file describes a whole job, records to export. What no mode knows stays in, and is refused.
    """
    result: list[str] = []
    for argument in argv:
        if argument.startswith(("--flagfile=", "-flagfile=")):
            others = set().union(*(_flag_names(mode.load_flags()) for mode in MODES.values()))
            others -= _flag_names(config_class)
            lines = absl_flags.FlagValues().read_flags_from_files([argument], force_gnu=False)
            result += [line for line in lines if _flag_name(line) not in others]
        else:
            result.append(argument)
    return result


def _flag_names(config_class: type) -> set[str]:
    return {field.name for field in dataclasses.fields(config_class)}


def _flag_name(argument: str) -> str:
    name = argument.lstrip("-").partition("=")[0]
    return name if "=" in argument else name.removeprefix("no")  # --nofresh is how absl writes --fresh=false


def _overview() -> str:
    width = max(map(len, MODES))
    modes = "\n".join(f"    {name:<{width}}  {mode.summary}" for name, mode in MODES.items())
    return f"{__doc__}\nModes:\n{modes}\n"


def _quiet(verbosity: str) -> None:
    cpp_level, python_level = _VERBOSITY[verbosity]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", cpp_level)
    from absl import logging

    logging.set_verbosity(python_level)
    logging.set_stderrthreshold(python_level)


def _run(argv: Sequence[str]) -> int:
    values = _base_flags()
    try:
        values(list(argv), known_only=True)  # a --flagfile may hold --mode too
    except absl_flags.Error as error:
        raise UserError(str(error)) from error
    if values["mode"].value is None:
        if values["help"].value:
            print(_overview())
            return 0
        raise UserError(f"--mode is required: one of {', '.join(MODES)} (--help describes them)")
    name = values["mode"].value
    if name not in MODES:
        raise UserError(f"--mode={name} is unknown: expected one of {', '.join(MODES)}")
    mode = MODES[name]
    config_class = mode.load_flags()
    values = _base_flags()
    spec.define(config_class, values)
    try:
        arguments = values(_without_other_modes(argv, config_class))[1:]
    except absl_flags.Error as error:
        raise UserError(f"{error} (python main.py --mode={name} --help lists this mode's flags)") from error
    if values["help"].value:
        print(f"--mode={name}: {mode.summary}\n\n{values.get_help()}")
        return 0
    config = spec.read(config_class, values, arguments)
    _quiet(values["verbosity"].value)
    if mode.convolves:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with tensorflow_starts():
        run = mode.load_code()
    return run(config) or 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one mode and returns the exit status: 0, or 1 after one line on stderr."""
    try:
        return _run(sys.argv if argv is None else argv)
    except UserError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues where this one stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output went away (… | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def console() -> None:
    """The `tagger` command of an installed wheel."""
    sys.exit(main())


if __name__ == "__main__":
    console()
