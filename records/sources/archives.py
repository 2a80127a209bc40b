"""The files of a source with photos inside: `webdataset:PATH/{00000..00099}.tar`, `parquet:data/*.parquet`."""

import dataclasses
import glob
import hashlib
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from flags.errors import UserError
from records.sources.base import BadField, known_split
from records.sources.table import Table
from records.util.hashing import file_sha256
from records.util.process_pool import cpus

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}|\{([^{}]*,[^{}]*)\}")
_MOST_FILES = 1_000_000
_SPLIT = re.compile(r"(?<![a-z])(?:train|training|val|valid|validation|dev|test)(?![a-z])", re.IGNORECASE)


def files_of(captions: str) -> list[str]:
    """The files that --captions names: paths, patterns, or some with {00000..00099}, webdataset's for all of a range.

    Several are separated by commas; each may have the prefix.

    Raises:
      UserError: there is none of a form, one of a range is missing or no file, or one is named twice.
    """
    prefix, _, rest = captions.partition(":")
    parts = [rest] if os.path.exists(os.path.expanduser(rest)) else re.split(r",(?![^{]*\})", rest)
    files = [file for part in parts if part.strip()
             for file in _files_of_part(os.path.expanduser(part.strip().removeprefix(f"{prefix}:")), captions)]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise UserError(f"--captions={captions}: {twice} is named twice; name it once")
    return files


def _files_of_part(pattern: str, captions: str) -> list[str]:
    if "://" in pattern or pattern.startswith("pipe:"):
        raise UserError(f"--captions={captions}: {pattern} is no path of this machine; download it, and name the files")
    files = [pattern]
    while match := _BRACES.search(files[0]):
        if match[1] is None:
            forms = match[3].split(",")
        else:
            first, last = int(match[1]), int(match[2])
            if not 0 <= last - first < _MOST_FILES // len(files):
                raise UserError(f"--captions={captions}: expected a range as {{00000..00099}}, found {match[0]}")
            width = len(match[1]) if len(match[1]) == len(match[2]) or match[1].startswith("0") else 0
            forms = [f"{number:0{width}d}" for number in range(first, last + 1)]
        files = [file[:match.start()] + form + file[match.end():] for file in files
                 for match in [_BRACES.search(file)] if match for form in forms]
    missing = [file for file in files if not os.path.exists(file) and not glob.has_magic(file)]
    if missing and len(files) > 1:
        raise UserError(f"--captions={captions}: {missing[0]} does not exist ({len(missing):,} of {len(files):,} "
                        "are missing); name a range that is there, or a pattern with *")
    files = [found for file in files
             for found in ([file] if os.path.exists(file) else sorted(glob.glob(file, recursive=True)))]
    if not files:
        raise UserError(f"--captions={captions}: there is no such file{'' if pattern in captions else f': {pattern}'}; "
                        "expected a path, a pattern with *, or a range as {00000..00099}")
    regular = [file for file in files if os.path.isfile(file)]
    if not regular:
        kind = "is a folder: name its files, as with *.tar or *.parquet" if os.path.isdir(files[0]) else (
            "is no regular file, and photos are read where they lie in it: write it to a file first")
        raise UserError(f"--captions={captions}: {files[0]} {kind}")
    return regular


def tables_of_files(table: Table, prefix: str) -> list[tuple[Table, str]]:
    """A table for each file that --captions names, and the folder of its photos' names."""
    files = files_of(prefix + table.path.removeprefix(prefix))
    splits = splits_of(files) if table.own_splits else [None] * len(files)
    return [(dataclasses.replace(table, path=file, label="", split=split), part)
            for file, part, split in zip(files, parts_of(files), splits, strict=True)]


def content_sha256(captions: str) -> str:
    """Hash of the names and contents of all files, which a restart compares."""
    paths = files_of(captions)
    with ThreadPoolExecutor(cpus()) as pool:
        files = [f"{os.path.basename(path)} {digest}" for path, digest in
                 zip(paths, pool.map(file_sha256, paths), strict=True)]
    return hashlib.sha256("\n".join(files).encode("utf-8", "surrogateescape")).hexdigest()


def parts_of(files: list[str]) -> list[str]:
    """The folder under --images for each file's photos: its name without suffix, and a number where two share it."""
    stems = [re.sub(r"(?:\.tar)?(?:\.gz)?$|\.parquet$", "", os.path.basename(file)).lstrip(".") or "photos"
             for file in files]
    count = Counter(stems)
    return [stem if count[stem] == 1 else f"{stem}-{number:05d}" for number, stem in enumerate(stems)]


def splits_of(files: list[str]) -> list[str | None]:
    """The split that each file, or else its folder, is named after: train-00000-of-00002.parquet, val/0001.tar.

    Folders with more in their names (cc3m_val) count where they name more splits than one, as a folder called my_test
    may be anything.
    """
    parents = [os.path.dirname(os.path.abspath(file)) for file in files]
    folders = ["" if parent == "/dev" else os.path.basename(parent) for parent in parents]  # /dev/stdin
    by_part = [_split_in(folder) for folder in folders]
    several = len(set(by_part)) > 1 and None not in by_part
    return [_split_in(os.path.basename(file)) or _known(folder) or (part if several else None)
            for file, folder, part in zip(files, folders, by_part, strict=True)]


def _split_in(name: str) -> str | None:
    match = _SPLIT.search(name)
    return _known(match[0]) if match else None


def _known(name: str) -> str | None:
    try:
        return known_split(name)
    except BadField:
        return None
