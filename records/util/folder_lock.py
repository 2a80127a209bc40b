"""One process at a time in a folder of this machine.

The folder itself is locked, not a file in it: to remove a lock file without a race is impossible. The kernel gives the
lock back when the process ends, however that happens.
"""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Holds a folder, which is made where it is missing, against others that do.

    Of a remote one (gs:// and the like) the lock holds among the processes of this machine only. Where the file system
    knows no locks there is none.

    Raises:
      BlockingIOError: another process holds it; its only argument says which.
    """
    if "://" in folder:
        folder = os.path.join(tempfile.gettempdir(), f"tagger-lock-{hashlib.sha256(folder.encode()).hexdigest()[:16]}")
    os.makedirs(folder, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(_holder(handle)) from None
        except OSError:  # some network file systems
            pass
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    """"process N" where the kernel tells which holds the lock of an open folder, else "another process"."""
    inode = str(os.fstat(handle).st_ino)
    with contextlib.suppress(OSError), open("/proc/locks") as locks:
        for line in locks:
            # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131074 0 EOF
            parts = line.split()
            if len(parts) > 5 and parts[1] == "FLOCK" and parts[5].rpartition(":")[2] == inode and parts[4] != "-1":
                return f"process {parts[4]}"
    return "another process"
