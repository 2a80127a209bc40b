"""Whole-file reads and atomic writes on any path that etils knows: local, gs://, s3://."""

import os

from etils import epath


def write_atomic(path: epath.PathLike, data: bytes | str) -> None:
    """Writes a file so that a reader, or a machine that loses power, sees all of it or none.

    Local files go through temporary + fsync + rename. Object stores publish an object only when it is
    complete, so there a plain write is atomic already.
    """
    target = epath.Path(path)
    raw = data.encode() if isinstance(data, str) else data
    if "://" in os.fspath(target):
        target.write_bytes(raw)
        return
    temporary = f"{os.fspath(target)}.tmp-{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)
