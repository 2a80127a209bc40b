"""Files that appear whole or not at all, on any path that etils knows: local, gs://, s3://.

`write_atomic` takes all of the contents at once, `AtomicOutput` piece by piece.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from typing import Any, BinaryIO

from etils import epath

from records.util import regular_files

_BUFFER_BYTES = 1 << 20
_TEMPORARY = re.compile(r"\.tmp-(\d+)$")


def write_atomic(path: epath.PathLike, data: bytes | str) -> None:
    """Writes a file so that a reader, or a machine that loses power, sees all of it or none.

    Local files go through temporary + fsync + rename. Object stores publish an object only when it is
    complete, so there a plain write is atomic already.

    Raises:
      OSError: it could not be written; its filename is `path`, and nothing is left of the attempt. NotRegular where
        `path` is a pipe, a device or a folder.
    """
    target = epath.Path(path)
    # Bytes of a path that are no UTF-8 become what stands for them in JSON, the only texts here with paths.
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


def remove_leftovers(folder: epath.PathLike, others: Sequence[str] = ()) -> None:
    """Removes the temporary files, below a local folder, of processes that were killed while they wrote.

    Args:
      others: how names of files and folders begin that other programs write, maybe now and on another machine, whose
        processes this one does not know.
    """
    if "://" in os.fspath(folder):
        return
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(tuple(others))]
        for name in names:
            match = _TEMPORARY.search(name)
            if match and not is_alive(int(match[1])) and not name.startswith(tuple(others)):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(path, name))


def is_alive(process: int) -> bool:
    """Whether another process of this machine has that number; not this one's own, which was then used again."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return process != os.getpid()


def name_file(error: OSError, path: epath.PathLike) -> None:
    """Has an error of the operating system name the file that it is about: one of a write or a sync names none."""
    error.filename, error.filename2 = os.fspath(path), None


class AtomicOutput:
    """A file that gets its name when the `with` block ends well and everything is on disk.

        with AtomicOutput("records/photos-train.tfrecord-00000-of-00001", "records/.make_records") as out:
            out.write(record)
        out.sha256()

    Local files are written under another name first. Object stores publish an object only when it is closed.

    Attributes:
      bytes: written so far.
    """

    def __init__(self, path: epath.PathLike, temporary_dir: str):
        """`temporary_dir` is on the same file system; a killed process leaves NAME.tmp-PID there."""
        self._final = os.fspath(path)
        self._remote = "://" in self._final
        self._path = self._final if self._remote else os.path.join(
            temporary_dir, f"{os.path.basename(self._final)}.tmp-{os.getpid()}")
        self._parts: list[bytes] = []
        self._pending = self.bytes = 0
        self._digest = hashlib.sha256()

    def sha256(self) -> str:
        """Hash of what was written so far, in hex."""
        return self._digest.hexdigest()

    def __enter__(self) -> "AtomicOutput":
        self._file: BinaryIO
        if self._remote:
            self._file = epath.Path(self._path).open("wb")  # type: ignore[assignment]
        else:
            os.makedirs(os.path.dirname(self._final), exist_ok=True)
            self._file = open(self._path, "wb", buffering=0)
        return self

    def write(self, data: bytes) -> None:
        """Appends `data`."""
        self._digest.update(data)
        self.bytes += len(data)
        self._parts.append(data)
        self._pending += len(data)
        if self._pending >= _BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        rest = memoryview(b"".join(self._parts))
        try:
            while rest:  # a raw file may take less than it is given
                rest = rest[self._file.write(rest):]
        except OSError as error:
            name_file(error, self._final)
            raise
        self._parts.clear()
        self._pending = 0

    def __exit__(self, kind: Any, *exception: object) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                name_file(error, self._final)
            raise

    def _finish(self) -> None:
        self._flush()
        if self._remote:
            self._file.close()
            return
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._path, self._final)
        folder = os.open(os.path.dirname(self._final), os.O_RDONLY)
        os.fsync(folder)  # the name, too, survives a power cut
        os.close(folder)

    def _discard(self) -> None:
        if not self._remote:  # a remote file is left open: closing it would publish half of it
            self._file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
