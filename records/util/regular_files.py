"""Reading files, and nothing else that a path may lead to.

A named pipe, a socket or a terminal makes whoever opens it wait, maybe for ever; a device may never end. All readers of
files that a user names, or that lie in a folder of ours, come through here.

    data = read_bytes("run/config.json")
    with open_binary("records/photos-train.tfrecord-00000-of-00001") as file: ...
"""

import errno
import os
import stat
from typing import BinaryIO, cast

Path = str | os.PathLike[str]

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
          stat.S_IFDIR: "a folder"}


class NotRegular(OSError):
    """What the path leads to is no regular file; strerror says what it is."""


def _check_mode(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise NotRegular(errno.EINVAL, f"is {kind}, expected a regular file", path)


def check(path: Path) -> None:
    """Raises NotRegular where a local path, links followed, leads to something that is there and no regular file."""
    local = os.fspath(path)
    if "://" in local:
        return
    try:
        mode = os.stat(local).st_mode
    except OSError:
        return  # whoever opens it says what is wrong
    _check_mode(mode, local)


def check_handle(handle: int, path: str) -> None:
    """Raises NotRegular where an open descriptor is of no regular file."""
    _check_mode(os.fstat(handle).st_mode, path)


def open_binary(path: Path, buffering: int = -1) -> BinaryIO:
    """Opens a file to be read, local or in an object store.

    Args:
      buffering: bytes that are read ahead of a local one; -1: what Python takes.

    Raises:
      NotRegular: it is a pipe, a device, a socket or a folder.
      OSError: it cannot be opened.
    """
    local = os.fspath(path)
    if "://" in local:
        from etils import epath  # 50 ms for every process that checks photos, and few have theirs in a store

        return cast(BinaryIO, epath.Path(local).open("rb"))
    # A pipe without a writer, or a device without a medium, would let a blocking open wait.
    try:
        handle = os.open(local, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        check(local)  # a socket cannot even be opened
        raise
    try:
        check_handle(handle, local)
        return os.fdopen(handle, "rb", buffering)
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: Path) -> bytes:
    """The whole content of a file; raises as `open_binary` does."""
    with open_binary(path) as file:
        return file.read()


def read_text(path: Path) -> str:
    """The whole content of a UTF-8 file; raises as `open_binary` does, and UnicodeDecodeError."""
    return read_bytes(path).decode()
