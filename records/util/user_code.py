"""Classes and functions of users, named on the command line as module:name.

    load("my_callbacks:Plot", "callbacks")       # the class
    call("my_networks:small", "backbone")        # what the function returns

The current folder is searched first, as for a script that is started there.
"""

import importlib
import os
import sys
import traceback
from typing import Any

from flags.errors import UserError


def load(name: str, flag: str) -> Any:
    """The object that "module:name" names; the module is imported.

    Raises:
      UserError: there is no such module or object in it, or its import fails; the message names `flag`.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise UserError(f"--{flag}={name}: expected module:name, such as my_file:my_name for my_name in my_file.py")
    if module.endswith(".py"):
        raise UserError(f"--{flag}={name}: names a file; write its module, --{flag}={module[:-3]}:{attribute}")
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        loaded = importlib.import_module(module)
    except Exception as error:  # whatever the user's module raises
        raise UserError(f"--{flag}={name}: the module {module} cannot be imported ({_why(error)}); is it in the "
                        "current folder or on PYTHONPATH?") from error
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # for what the user's code imports later; installed packages go before it
    if not hasattr(loaded, attribute):
        raise UserError(f"--{flag}={name}: {loaded.__file__ or module} has no {attribute}")
    return getattr(loaded, attribute)


def call(name: str, flag: str) -> Any:
    """What the function or class that "module:name" names gives, called without arguments.

    Raises:
      UserError: as `load`; or the call fails.
    """
    function = load(name, flag)
    try:
        return function()
    except UserError:
        raise
    except Exception as error:  # whatever the user's code raises
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # not even the call succeeded
            raise UserError(f"--{flag}={name}: is called without arguments, which it cannot be ({error}); give its "
                            "arguments defaults, or name a function that makes it") from error
        raise UserError(f"--{flag}={name}: expected something that can be called without arguments; the call failed "
                        f"({_why(error)})") from error


def _why(error: Exception) -> str:
    """Kind, message and place of an error."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, {os.path.basename(place.filename)} line {place.lineno}"
