"""The C library told to keep freed memory, where the same large blocks are asked for again and again.

glibc gives large freed blocks back to the system at once, and the next block is made of pages that the kernel has to
zero one by one: up to 39,000 page faults, 130 ms, in a training step of 512 captions on a CPU, and 2 of the 40 ms of
CPU time that a photo's feature takes.
"""

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
_NEVER = (1 << 31) - 1  # bytes; the most that mallopt's int can hold
_LARGEST_REUSED = 1 << 30  # bytes, where a heap can hold it; larger blocks still come from the system each time
_GROWTH = 64 << 20  # bytes asked for at a time; also keeps a thread's empty heap, of 64 MiB, from being given back


def keep_freed_memory() -> None:
    """Freed memory stays with this process and is used again; nothing happens where the C library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in ((_M_MMAP_THRESHOLD, _LARGEST_REUSED), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _GROWTH)):
        mallopt(parameter, value)
