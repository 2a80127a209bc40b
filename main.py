"""The command line: finds the mode, reads its flags, imports its code and nothing else, and runs it."""

import difflib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata

from absl import flags as absl_flags

from flags import flag_files, glossary, spec
from flags.customary_names import CUSTOMARY
from flags.errors import UserError
from flags.modes import MODES, Status, command
from records.util import system_errors
from records.util.printable import printable
from records.util.tf_startup import tensorflow_starts

_USAGE = """Trains an image tagger at scale: photos and captions to TFRecords to a merge model to a SavedModel.

    {command} --mode=MODE [--flag=value …]
    {command} --mode=MODE --help
        the flags of one mode
    {command} --mode=MODE --flagfile=FILE
        flags from a file, one a line, or from the config.json of a run; those on the command line win
    {command} --glossary
        the words that the modes print, explained
    {command} --version

Modes:
{modes}
"""

# What TensorFlow's C++ side may print (TF_CPP_MIN_LOG_LEVEL) and Python's absl.logging level, by --verbosity.
_VERBOSITY = {"fatal": ("3", "fatal"), "error": ("2", "error"), "warning": ("1", "warning"), "info": ("0", "info"),
              "debug": ("0", "debug")}


def _base_flags() -> absl_flags.FlagValues:
    values = absl_flags.FlagValues()
    absl_flags.DEFINE_string("mode", None, "What to do; one of the modes.", flag_values=values)
    absl_flags.DEFINE_boolean("help", False, "Show help.", flag_values=values)
    absl_flags.DEFINE_boolean("version", False, "Show the version of this package and of TensorFlow.",
                              flag_values=values)
    absl_flags.DEFINE_boolean("glossary", False, "Explain the words that the modes print.", flag_values=values)
    absl_flags.DEFINE_enum("verbosity", "fatal", list(_VERBOSITY), flag_values=values,
                           help="Least severe message of TensorFlow and other libraries that is shown on stderr.")
    return values


def _version(distribution: str) -> str:
    """The installed version, from its metadata: nothing is imported."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _overview(program: str) -> str:
    width = max(map(len, MODES))
    modes = "\n".join(f"    {name:<{width}}  {mode.summary}" for name, mode in MODES.items())
    return _USAGE.format(command=program, modes=modes)


def _mode_help(program: str, name: str, config_class: type, values: absl_flags.FlagValues) -> str:
    call, mode = f"{program} --mode={name}", MODES[name]
    lines = [f"--mode={name}: {mode.summary}", "", f"    {call} {spec.usage(config_class)}", "For example:",
             f"    {call} {mode.example}", ""]
    if arguments := spec.argument_help(config_class):
        lines += [arguments, ""]
    return "\n".join([*lines, values.get_help()])


def _quiet(verbosity: str) -> None:
    cpp_level, python_level = _VERBOSITY[verbosity]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", cpp_level)
    from absl import logging

    logging.set_verbosity(python_level)
    logging.set_stderrthreshold(python_level)


def _mode(values: absl_flags.FlagValues, arguments: Sequence[str]) -> str:
    """The mode that was asked for.

    Raises:
      UserError: none was, or there is no such mode.
    """
    name, modes = values["mode"].value, ", ".join(MODES)
    if name is None:
        hint = next((f"; write --mode={argument}" for argument in arguments if argument in MODES), "")
        near_flags = (argument for argument in arguments
                      if difflib.get_close_matches(argument.lstrip("-").partition("=")[0], ["mode"]))
        hint = next((f"; did you mean --mode for {argument}?" for argument in near_flags), hint)
        raise UserError(f"--mode is required: one of {modes} (--help describes them){hint}")
    if name not in MODES:
        near = difflib.get_close_matches(name, MODES, 1)
        raise UserError(f"--mode={name} is unknown: expected one of {modes}"
                        + (f"; did you mean --mode={near[0]}?" if near else ""))
    return name


def _with_own_name(error: absl_flags.Error, values: absl_flags.FlagValues) -> str:
    """What absl says; of a flag that is customary elsewhere, and unknown here, also what this mode calls it."""
    name = error.flagname if isinstance(error, absl_flags.UnrecognizedFlagError) else ""
    own = [flag for flag in CUSTOMARY.get(name.replace("-", "_"), ()) if flag in values]
    return f"Unknown command line flag '{name}'. Did you mean: {own[0]} ?" if own else str(error)


def _run(argv: Sequence[str]) -> int:
    lines, others = flag_files.split(argv[1:])
    values = _base_flags()
    try:
        # Flags on the command line come last, so they win. A flag file may hold --mode too.
        arguments = values([argv[0], *lines, *others], known_only=True)[1:]
    except absl_flags.Error as error:
        raise UserError(str(error)) from error
    if values["version"].value:
        print(f"tagger {_version('tagger')}, TensorFlow {_version('tensorflow')}")
        return 0
    if values["glossary"].value:
        print(glossary.text())
        return 0
    if values["help"].value and values["mode"].value is None:
        print(_overview(command(argv[0])))
        return 0
    name = _mode(values, arguments)
    mode = MODES[name]
    config_class = mode.load_flags()
    values = _base_flags()
    spec.define(config_class, values)
    try:
        arguments = values([argv[0], *flag_files.of_mode(lines, config_class, others), *others])[1:]
    except absl_flags.Error as error:
        raise UserError(f"{_with_own_name(error, values)} ({command(argv[0])} --mode={name} --help lists this mode's "
                        "flags)") from error
    if values["help"].value:
        print(_mode_help(command(argv[0]), name, config_class, values))
        return 0
    config = spec.read(config_class, values, arguments)
    for line in flag_files.of_training(lines, config_class, others):
        flag = line.lstrip("-").partition("=")[0]
        print(f"{line} in the flag file is for training; {name} takes --{flag}={getattr(config, flag)}, or what the "
              "command line says", file=sys.stderr)
    _quiet(values["verbosity"].value)
    if mode.onednn:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # A GPU's memory is taken as it is needed, so that a server or another job finds room beside this one.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    with tensorflow_starts():
        run = mode.load_code()
    try:
        outcome = run(config)
    except KeyboardInterrupt as interruption:
        return _interrupted(interruption, "; the same command " + (
            "continues where this one stopped" if mode.goes_on(config) else "starts over"))
    status = outcome or 0
    if mode.explained and not status and outcome is not Status.NOTHING_TO_DO:
        print(f"(words that are new to you: {command(argv[0])} --glossary)", file=sys.stderr)
    return status


def _interrupted(interruption: KeyboardInterrupt, remedy: str) -> int:
    """Says so, and returns the exit status that shells give to a process that the signal ended."""
    print(f"\ninterrupted{remedy}", file=sys.stderr)
    return 128 + (signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends a mode as Ctrl-C does: `with` blocks are left, half-written files removed, a line printed."""
    def interrupt(*_: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one mode and returns the exit status: 0, or that of an error after one line on stderr."""
    arguments = sys.argv if argv is None else argv
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold bytes that are no UTF-8
    try:
        with _sigterm_interrupts():
            status = _run(arguments)
            sys.stdout.flush()
            return status
    except UserError as error:
        print("error: " + printable(" ".join(str(error).split())), file=sys.stderr)
        return error.status
    except KeyboardInterrupt as interruption:
        return _interrupted(interruption, "")
    except BrokenPipeError:  # the reader of our output went away (… | head)
        _discard_output()
        return 0
    except Exception as error:
        line = system_errors.explain(error)
        if line is None or "--verbosity=debug" in arguments:
            raise
        print("error: " + printable(" ".join(line.split())), file=sys.stderr)
        if isinstance(error, OSError) and error.filename is None:
            _discard_output()  # it may be the output that cannot be written; Python would try once more at the end
        return 1


def _discard_output() -> None:
    with suppress(OSError, ValueError):  # under a test stdout may be no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> None:
    """The `tagger` command of an installed wheel."""
    sys.exit(main())


if __name__ == "__main__":
    console()
