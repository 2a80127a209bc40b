"""Atomic writes of whole files on any path that etils knows: local, gs://, s3://."""

import contextlib
import os

from etils import epath

from records.util import regular_files


def write_atomic(path: epath.PathLike, data: bytes | str) -> None:
    """Writes a file so that a reader, or a machine that loses power, sees all of it or none.

    Local files go through temporary + fsync + rename. Object stores publish an object only when it is
    complete, so there a plain write is atomic already.

    Raises:
      OSError: it could not be written; its filename is `path`, and nothing is left of the attempt. NotRegular where
        `path` is a pipe, a device or a folder.
    """
    target = epath.Path(path)
    # Bytes of a path that are no UTF-8 become what stands for them in JSON, the only texts of ours with paths.
    raw = data.encode(errors="backslashreplace") if isinstance(data, str) else data
    if "://" in os.fspath(target):
        target.write_bytes(raw)
        return
    regular_files.check(target)  # else a device or a pipe would be replaced
    temporary = f"{os.fspath(target)}.tmp-{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            name_file(error, target)
        raise


def name_file(error: OSError, path: epath.PathLike) -> None:
    """Has an error of the operating system name the file that it is about: one of a write or a sync names none."""
    error.filename, error.filename2 = os.fspath(path), None
