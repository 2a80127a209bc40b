"""Folders that a flag names, made where they are missing."""

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
