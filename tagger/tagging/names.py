"""Which photos --images stands for: their names in order, each once, however many there are."""

import collections
import glob
import heapq
import itertools
import json
import os
from collections.abc import Iterable, Iterator

from etils import epath

from flags.errors import UserError
from records.util.counted import counted
from records.util.regular_files import NotRegular, open_binary
from tagger.tagging.photos import SUFFIXES

WILD = frozenset("*?[")
_RUN = 100_000  # names sorted in memory at a time
_ENDINGS = 100  # told apart among files that are no photos
_SIDE_CAR = ".xmp"  # belongs to a photo that is seen anyway

Others = collections.Counter[str]  # how many files of a folder are no photos, by the ending of their names


def find_names(images: str, others: Others | None = None) -> Iterator[str]:
    """The names that a folder (searched through), a pattern, a photo or a list of photos stands for, in no order.

    A list is a file with another suffix than a photo's: one path a line, from the working folder as on the command
    line.

    Args:
      others: what a folder holds beside photos is added to it.

    Raises:
      UserError: it is none of these, or the list cannot be read.
    """
    path = epath.Path(images)
    if path.is_dir():
        return in_folder(images, others)
    if path.exists():
        return iter([images]) if path.suffix.lower() in SUFFIXES else _in_list(images)
    if WILD & set(images):
        return matching(images)
    raise UserError(f"--images={images}: no such folder, list or photo; check the path")


def as_utf8(name: str | os.PathLike) -> str:
    r"""A file's name as UTF-8, with bytes that are none as '\xff'."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def in_folder(folder: str, others: Others | None = None) -> Iterator[str]:
    """The photos in a folder and in those below it, in no order; other files are counted in `others`."""
    others = Others() if others is None else others
    if "://" in folder:
        for parent, _, names in epath.Path(folder).walk():
            yield from (os.fspath(parent / name) for name in names if _is_photo(name, others))
        return
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_dir():
                    others["linked folder"] += 1
                elif _is_photo(entry.name, others):
                    yield entry.path


def _is_photo(name: str, others: Others) -> bool:
    if name.lower().endswith(SUFFIXES):
        return True
    ending = os.path.splitext(name)[1].lower()
    if ending != _SIDE_CAR:
        others[ending if ending in others or len(others) < _ENDINGS else ""] += 1
    return False


def left_out(others: Others) -> str:
    """The line that says what was no photo by its name; "" where nothing was."""
    if not others:
        return ""
    most = sorted(others.items(), key=lambda kind: (-kind[1], not kind[0], kind[0]))[:5]
    kinds = [f"{number:,} {ending or 'without or with another ending'}" for ending, number in most]
    more = ", …" if len(others) > len(kinds) else ""
    return (f"left out of the folder: {counted(others.total(), 'file')} whose name ends otherwise than a photo's "
            f"({', '.join(SUFFIXES)}): {', '.join(kinds)}{more}")


def matching(pattern: str) -> Iterator[str]:
    """Files that match, in no order. On object stores ** is no pattern: a folder is searched through instead."""
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        return (name for name in glob.iglob(pattern, recursive=True) if not os.path.isdir(name))
    bucket, _, inner = rest.partition("/")
    matches = epath.Path(f"{scheme}://{bucket}").glob(inner)
    return (os.fspath(path) for path in matches if not path.is_dir())


def _in_list(path: str) -> Iterator[str]:
    try:
        with open_binary(path) as file:
            for number, line in enumerate(file, 1):
                name = os.fsdecode(line.rstrip(b"\r\n"))
                if "\0" in name:
                    raise UserError(f"--images={path}, line {number}: holds a zero byte, which no path does; give a "
                                    "text file with one path a line")
                if name.strip():
                    yield name
    except NotRegular as error:
        raise UserError(f"--images={path}: {error.strerror}; give a folder, a list, a pattern or a photo") from error
    except OSError as error:
        raise UserError(f"--images={path}: cannot be read ({error.strerror or error})") from error


def in_order(names: Iterable[str], folder: str) -> Iterator[str]:
    """The names sorted, each once; of more than 100,000 the rest waits in files of `folder`."""
    remaining, files = iter(names), list[str]()
    while True:
        run = sorted(itertools.islice(remaining, _RUN))
        if not files and len(run) < _RUN:
            return _each_once(run)
        if not run:
            return _each_once(heapq.merge(*map(_read, files)))
        files.append(os.path.join(folder, f"names-{len(files):05d}"))
        write_names(files[-1], run)


def write_names(path: str, names: Iterable[str]) -> None:
    """One JSON string a line: a name may hold line breaks, and bytes that are no UTF-8."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(json.dumps(name) + "\n" for name in names)


def _read(path: str) -> Iterator[str]:
    with open(path, encoding="ascii") as file:
        yield from map(json.loads, file)


def read_names(path: str) -> list[str]:
    """What `write_names` wrote."""
    return list(_read(path))


def _each_once(names: Iterable[str]) -> Iterator[str]:
    return (name for name, _ in itertools.groupby(names))
