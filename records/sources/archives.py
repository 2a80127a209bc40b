"""The files of a source with photos inside: `webdataset:PATH/{00000..00099}.tar`, `parquet:data/*.parquet`."""

import glob
import hashlib
import os
import re

from flags.errors import UserError
from records.sources.base import BadField, known_split
from records.util.hashing import file_sha256

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_FILES = 1_000_000
_SPLIT = re.compile(r"(?<![a-z])(?:train|training|val|valid|validation|dev|test)(?![a-z])", re.IGNORECASE)


def files_of(captions: str) -> list[str]:
    """The files that --captions names: a path, a pattern, or one with {00000..00099}, webdataset's for all of a range.

    Raises:
      UserError: there is none of that form, one of a range is missing, or two have one name.
    """
    pattern = os.path.expanduser(captions.partition(":")[2])
    ranged = _RANGE.search(pattern) is not None
    files = [pattern]
    while ranged and (match := _RANGE.search(files[0])):
        first, last = int(match[1]), int(match[2])
        if not 0 <= last - first < _MOST_FILES // len(files):
            raise UserError(f"--captions={captions}: expected a range as {{00000..00099}}, found {match[0]}")
        width = len(match[1]) if len(match[1]) == len(match[2]) or match[1].startswith("0") else 0
        files = [_RANGE.sub(f"{number:0{width}d}", file, count=1)
                 for file in files for number in range(first, last + 1)]
    if ranged:
        missing = [file for file in files if not os.path.exists(file)]
        if missing:
            raise UserError(f"--captions={captions}: {missing[0]} does not exist ({len(missing):,} of {len(files):,} "
                            "are missing); name a range that is there, or a pattern with *")
    elif not os.path.exists(pattern):
        files = sorted(glob.glob(pattern, recursive=True))
    files = [file for file in files if os.path.isfile(file)]
    if not files:
        raise UserError(f"--captions={captions}: there is no such file; expected a path, a pattern with *, or a range "
                        "as {00000..00099}")
    return files


def content_sha256(captions: str) -> str:
    """Hash of the names and contents of all files, which a restart compares."""
    files = [f"{os.path.basename(file)} {file_sha256(file)}" for file in files_of(captions)]
    return hashlib.sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest()


def parts_of(files: list[str]) -> list[str]:
    """The folder under --images for each file's photos: its name without suffix, and a number where two share it."""
    stems = [re.sub(r"(?:\.tar)?(?:\.gz)?$|\.parquet$", "", os.path.basename(file)).lstrip(".") or "photos"
             for file in files]
    return [stem if stems.count(stem) == 1 else f"{stem}-{number:05d}" for number, stem in enumerate(stems)]


def split_of(file: str) -> str | None:
    """The split that a file, or else its folder, is named after: train-00000-of-00002.parquet, val/0001.tar."""
    for name in (os.path.basename(file), os.path.basename(os.path.dirname(os.path.abspath(file)))):
        if match := _SPLIT.search(name):
            try:
                return known_split(match[0])
            except BadField:
                continue
    return None
