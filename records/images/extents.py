"""Photos that lie inside a larger file, such as a tar: where, and their bytes.

    data = read_extent(Extent("/data/00000.tar", 1536, 20480))
"""

import os
from typing import NamedTuple

import google_crc32c

from flags.errors import UserError
from records.util.regular_files import check_handle


class Extent(NamedTuple):
    """Where the bytes of a photo lie.

    Attributes:
      file: absolute path of a local file.
      offset: of the first byte, from 0.
      size: how many bytes.
      crc32c: of these bytes, of a file that was written and not synced: a power cut may leave others. Else None.
    """

    file: str
    offset: int
    size: int
    crc32c: int | None = None


def read_extent(extent: Extent) -> bytes:
    """The bytes of an extent that was there when it was noted.

    Raises:
      UserError: it is there no more, or cannot be read.
    """
    try:
        handle = os.open(extent.file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            check_handle(handle, extent.file)
            data = os.pread(handle, extent.size, extent.offset)
            while len(data) < extent.size and (part := os.pread(handle, extent.size - len(data),
                                                                extent.offset + len(data))):
                data += part
        finally:
            os.close(handle)
    except OSError as error:
        raise UserError(f"--captions: {extent.file} cannot be read ({error.strerror or error}), and could be when "
                        "make_records began; the same command continues once it is back") from error
    if len(data) < extent.size:
        raise changed(extent, "it is shorter than it was")
    if extent.crc32c is not None and google_crc32c.value(data) != extent.crc32c:
        raise changed(extent, "it does not hold what was written to it")
    return data


def changed(extent: Extent, what: str) -> UserError:
    """What to say of a file whose photos are not what they were."""
    return UserError(f"{extent.file} changed while make_records worked ({what}); run it again with --overwrite")
