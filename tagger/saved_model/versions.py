"""Version sub-folders of an export: 1, 2, …, as TensorFlow Serving expects them."""

from etils import epath

from flags.errors import UserError
from records.util import regular_files

_MODEL_FILE = "saved_model.pb"


def versions(export_dir: epath.PathLike) -> list[int]:
    """The version numbers in a folder, ascending; empty where there is no such folder."""
    folder = epath.Path(export_dir)
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def newest(export_dir: epath.PathLike) -> epath.Path:
    """The SavedModel to use: `export_dir` itself when it is one, else its highest version.

    Raises:
      UserError: there is neither.
      OSError: it is a pipe, a device or a socket.
    """
    folder = epath.Path(export_dir)
    if (folder / _MODEL_FILE).exists():
        regular_files.check(folder / _MODEL_FILE)
        return folder
    if not folder.is_dir():
        raise UserError(f"--export_dir={export_dir}: no such folder; --mode=export makes one")
    for version in reversed(versions(folder)):
        if (folder / str(version) / _MODEL_FILE).exists():
            regular_files.check(folder / str(version) / _MODEL_FILE)
            return folder / str(version)
    raise UserError(f"--export_dir={export_dir}: holds no SavedModel ({_MODEL_FILE}), neither itself nor in a version "
                    "folder 1, 2, …; give a folder that --mode=export wrote")
