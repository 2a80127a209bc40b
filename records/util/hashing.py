"""The SHA-256 of a file, however large, on any path that etils knows: local, gs://, s3://."""

import hashlib

from etils import epath

from records.util import regular_files

_READ_BYTES = 1 << 20


def file_sha256(path: epath.PathLike) -> str:
    """Hash of a file's bytes, in hex.

    Raises:
      OSError: it cannot be read; FileNotFoundError where there is none, NotRegular for a pipe and its like.
    """
    digest = hashlib.sha256()
    with regular_files.open_binary(path) as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()
