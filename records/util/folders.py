"""Folders that a flag names, made where they are missing, and removed again where nothing came into them.

    missing = missing_folders(path)
    folder = make_folder(path, "run_dir")
    ...                                     # refused: other flags are bad
    remove_if_empty(missing)
"""

import contextlib
import os
from collections.abc import Iterator, Sequence

from etils import epath

from flags.errors import UserError


def make_folder(path: epath.PathLike, flag: str) -> epath.Path:
    """Makes a folder and those above it.

    Raises:
      UserError: it cannot be made, or is a file; the message names `flag`.
    """
    folder = epath.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"--{flag}={path}: is a file; give a folder") from None
    except OSError as error:
        raise UserError(f"--{flag}={path}: cannot be made ({error.strerror or error}); give a folder that can be "
                        "written") from error
    return folder


def missing_folders(path: epath.PathLike) -> list[str]:
    """What of a folder of this machine, and of those above it, there is not yet: the innermost first."""
    folder, missing = os.path.abspath(os.fspath(path)), []
    while "://" not in os.fspath(path) and not os.path.lexists(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    return missing


def remove_if_empty(folders: Sequence[str]) -> None:
    """Removes folders, the innermost first, as far as they are empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            os.rmdir(folder)


@contextlib.contextmanager
def new_folder(path: epath.PathLike, flag: str) -> Iterator[epath.Path]:
    """`make_folder`; what was made and is empty at the end of the code inside is removed again."""
    missing = missing_folders(path)
    try:
        yield make_folder(path, flag)
    finally:
        remove_if_empty(missing)
