"""Version sub-folders of an export: 1, 2, …, as TensorFlow Serving expects them."""

import contextlib
import errno
import os
import re
import socket
from collections.abc import Callable, Iterator

from etils import epath

from flags.errors import UserError
from records.util import regular_files
from records.util.atomic_files import is_alive
from tagger.saved_model import arithmetic

_MODEL_FILE = "saved_model.pb"
_UNFINISHED = "unfinished-"


def versions(export_dir: epath.PathLike) -> list[int]:
    """The version numbers in a folder, ascending; empty where there is no such folder."""
    folder = epath.Path(export_dir)
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


@contextlib.contextmanager
def next_version(export_dir: epath.Path) -> Iterator[tuple[epath.Path, Callable[[], int]]]:
    """A folder to write a version into, and what to call when it is whole: that gives it the next free number.

    Several processes can do so at once. What is not whole when the `with` block ends is removed, and so is what an
    export that was killed on this machine left.
    """
    owner = f"{_UNFINISHED}{re.sub(r'[^A-Za-z0-9]', '_', socket.gethostname())}-"
    for path in export_dir.glob(f"{owner}*"):
        number = path.name.removeprefix(owner)
        if number.isdecimal() and not is_alive(int(number)):
            path.rmtree()
    unfinished = export_dir / f"{owner}{os.getpid()}"  # no number: no server takes it for a version

    def publish() -> int:
        while True:
            version = max(versions(export_dir), default=0) + 1
            while (export_dir / str(version)).exists():  # a file
                version += 1
            try:
                unfinished.rename(export_dir / str(version))
                return version
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise  # otherwise another export was first

    try:
        yield unfinished, publish
    finally:
        if unfinished.exists():
            unfinished.rmtree()


def newest(export_dir: epath.PathLike, precision: str = "any") -> epath.Path:
    """The SavedModel to use: `export_dir` itself when it is one, else its highest version.

    Args:
      precision: what it computes in, one of `flags.choices.PRECISIONS`; "any" for all of them.

    Raises:
      UserError: there is neither, or none in that precision.
      OSError: it is a pipe, a device or a socket.
    """
    folder = epath.Path(export_dir)
    if (folder / _MODEL_FILE).exists():
        models = [folder]
    elif not folder.is_dir():
        raise UserError(f"--export_dir={export_dir}: no such folder; --mode=export makes one")
    else:
        models = [folder / str(version) for version in reversed(versions(folder))
                  if (folder / str(version) / _MODEL_FILE).exists()]
    for model in models:
        regular_files.check(model / _MODEL_FILE)
        if precision in ("any", arithmetic.read(model)):
            return model
    if models:
        raise UserError(f"--precision={precision}: no version in --export_dir={export_dir} was exported with it; "
                        f"export the run again with --precision={precision}, or leave it out")
    raise UserError(f"--export_dir={export_dir}: holds no SavedModel ({_MODEL_FILE}), neither itself nor in a version "
                    "folder 1, 2, …; give a folder that --mode=export wrote")
