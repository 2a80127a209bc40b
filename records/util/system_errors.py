"""What the machine refuses, a full disk first of all, as one line with the true cause and the path.

    line = explain(error)       # None: an error of the program, which deserves its traceback

Free of TensorFlow, whose errors are known by their names: main.py asks here about whatever reached it.
"""

import errno
import os
import re

_REMEDIES = {
    errno.ENOSPC: "free some room, or give a folder on another disk, then run the same command again",
    errno.EDQUOT: "free some room, or give a folder on another disk, then run the same command again",
    errno.EFBIG: "the disk, or a limit of this process (ulimit -f), allows no file so large; give a folder on another "
                 "disk, or raise the limit",
    errno.EROFS: "give a folder that can be written",
    errno.EACCES: "change its permissions, or give another path",
    errno.EPERM: "change its permissions, or give another path",
    errno.ENOTDIR: "a part of its path is a file; give another path",
    errno.EEXIST: "something is there already; move it away, or give another path",
    errno.EISDIR: "give the path of a file",
    errno.ENOENT: "check the path",
    errno.ELOOP: "its links lead in a circle; check the path",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.EMFILE: "raise the number of files that this process may open (ulimit -n)",
    errno.ENFILE: "close what else keeps files open on this machine",
    errno.ENOMEM: "close what else uses memory",
    errno.EIO: "the disk, or the connection to it, is failing; check it, then run the same command again",
    errno.ESTALE: "the disk, or the connection to it, is failing; check it, then run the same command again",
    errno.EINVAL: "give another path",
}
_BY_TEXT = {os.strerror(number): number for number in errno.errorcode}
# TensorFlow's file systems write "PATH; STRERROR", HDF5 "…, errno = 28, …".
_TENSORFLOW_FILE = re.compile(rf"^(?:.*\}}\}} )?([^;\n]*); ({'|'.join(map(re.escape, _BY_TEXT))})", re.MULTILINE)
_HDF5 = re.compile(r"errno = (\d+)")


def explain(error: BaseException) -> str | None:
    """One line about an error of which the machine is the cause: files, disks, memory. None for any other error."""
    if isinstance(error, MemoryError):
        return "memory ran out; close what else uses it"
    if isinstance(error, OSError):
        number = error.errno
        if number is None and (match := _HDF5.search(str(error))):
            number = int(match[1])
        text = error.strerror or (os.strerror(number) if number else str(error) or type(error).__name__)
        return _line(os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "", text, number)
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= error.object[error.start] <= "\udcff":
        return (f"{error.object[:500]}: holds bytes that are no UTF-8, which TensorFlow cannot take; rename the file "
                "or folder")
    if "tensorflow" not in type(error).__module__:
        return None
    if match := _TENSORFLOW_FILE.search(str(error)):
        return _line(match[1], match[2], _BY_TEXT[match[2]])
    if type(error).__name__ == "ResourceExhaustedError":
        what = str(error).splitlines()[0].rpartition("}} ")[2][:200]
        return (f"memory ran out ({what}); give a smaller --batch_size (in train, --accumulate_steps makes up for it), "
                "or close what else uses the device")
    return None


def _line(path: str, text: str, number: int | None) -> str:
    remedy = _REMEDIES.get(number or 0, "check the path and the disk")
    return f"{path or 'a file could not be read or written'}: {text}; {remedy}"
