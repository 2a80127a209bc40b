"""Photos that do not exist under the name that a table gives them, but under one that differs in upper and lower case.

    same_but_for_case("photos", ["a/IMG_1.JPG"])       {"a/IMG_1.JPG": "a/img_1.jpg"}

Letters that can be written in two ways in Unicode (NFC and NFD) count as the same too.
"""

import collections
import itertools
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from records.images.files import MISSING
from records.ingest.rejections import CASE

# Left-out rows that are looked at together, once: what is held in memory does not depend on the table or the folders,
# which are read entry by entry, each of them once at the most.
_ROWS = 1000


def with_hints(rejected: Iterable[tuple[str, str, str]], images: str) -> Iterator[tuple[str, str, str]]:
    """The same (image, row, reason); reasons name the file that differs in case alone, where there is one.

    Args:
      rejected: rows that are left out. Of these, a thousand at the most are compared with the names of files: the first
        of them say what is wrong with the rest.
      images: folder of the photos; names of a remote one, or of none ("" of a source with photos inside), are left as
        they are.
    """
    rows = iter(rejected)
    looking = bool(images) and "://" not in images
    while some := list(itertools.islice(rows, _ROWS)):
        missing = [image for image, _, reason in some if looking and reason.startswith(MISSING)]
        files = same_but_for_case(images, missing) if missing else {}
        looking = looking and not missing
        for image, row, reason in some:
            hint = f"; {files[image]!r} is there, {CASE}" if image in files else ""
            yield image, row, reason + (hint if reason.startswith(MISSING) else "")


def same_but_for_case(images: str, names: Iterable[str]) -> dict[str, str]:
    """Of those names under a folder that are none of a file: the file that is called the same but for case."""
    files: dict[str, str] = {}
    _compare(images, "", {name: name.split("/") for name in names}, files)
    return {name: file for name, file in files.items() if name != file}


def _compare(images: str, folder: str, parts: Mapping[str, list[str]], files: dict[str, str]) -> None:
    """Adds to `files` what the `parts` of names, from `folder` on, stand for."""
    path = os.path.join(images, folder)
    inside: dict[str, dict[str, list[str]]] = collections.defaultdict(dict)
    differing: dict[str, list[str]] = collections.defaultdict(list)
    for name, (first, *rest) in parts.items():
        if rest or not os.path.lexists(os.path.join(path, first)):
            differing[_folded(first)].append(name)
        else:
            files[name] = os.path.join(folder, first)
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                for name in differing.get(_folded(entry.name), ()):
                    file, (first, *rest) = os.path.join(folder, entry.name), parts[name]
                    if rest:
                        inside[file][name] = rest
                    elif name not in files or file < files[name]:
                        files[name] = file
    except OSError:  # no folder, or one that may not be read
        return
    for file, others in sorted(inside.items()):
        _compare(images, file, {name: rest for name, rest in others.items() if name not in files}, files)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
