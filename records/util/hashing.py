"""The SHA-256 of a file, however large, on any path that etils knows: local, gs://, s3://."""

import hashlib

from etils import epath

_READ_BYTES = 1 << 20


def file_sha256(path: epath.PathLike) -> str:
    """Hash of a file's bytes, in hex.

    Raises:
      OSError: it cannot be read; FileNotFoundError where there is none.
    """
    digest = hashlib.sha256()
    with epath.Path(path).open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)  # type: ignore[arg-type]
    return digest.hexdigest()
