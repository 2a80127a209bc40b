"""Photos that do not exist under the name that a table gives them, but under one that differs in case or by a typo.

    same_but_for_case("photos", ["a/IMG_1.JPG"])       {"a/IMG_1.JPG": "a/img_1.jpg"}
    nearly_the_same("photos", ["a/sunst_1.jpg"])       {"a/sunst_1.jpg": "a/sunset_1.jpg"}

Letters that can be written in two ways in Unicode (NFC and NFD) count as the same too.
"""

import collections
import difflib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from records.images.files import MISSING
from records.ingest.rejections import CASE, SIMILAR
from records.sources.names import has_image_suffix

# Left-out rows that are looked at together, once: what is held in memory does not depend on the table or the folders,
# which are read entry by entry, each of them once at the most.
_ROWS = 1000
_SIMILAR_ROWS, _ENTRIES = 10, 50_000  # of names that differ by more than case, and of a folder: seconds at the most
_LIKENESS = 0.8


def with_hints(rejected: Iterable[tuple[str, str, str]], images: str) -> Iterator[tuple[str, str, str]]:
    """The same (image, row, reason); reasons name the file that differs in case alone or by a typo, where there is one.

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
        unexplained = [image for image in dict.fromkeys(missing) if image not in files]
        similar = nearly_the_same(images, unexplained[:_SIMILAR_ROWS])
        for image, row, reason in some:
            hint = (f"; {files[image]!r} is there, {CASE}" if image in files else
                    f"{SIMILAR}{similar[image]!r}?" if image in similar else "")
            yield image, row, reason + (hint if reason.startswith(MISSING) else "")


def same_but_for_case(images: str, names: Iterable[str]) -> dict[str, str]:
    """Of those names under a folder that are none of a file: the file that is called the same but for case."""
    files: dict[str, str] = {}
    _compare(images, "", {name: name.split("/") for name in names}, files)
    return {name: file for name, file in files.items() if name != file}


def nearly_the_same(images: str, names: Iterable[str]) -> dict[str, str]:
    """Of those names under a folder: the photo beside it that is written nearly the same, the likest where several are.

    Photos whose names have other digits are other photos, however alike the names are (IMG_1.jpg and IMG_2.jpg).
    """
    files: dict[str, tuple[float, str]] = {}
    folders: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for name in names:
        folders[os.path.dirname(name)][_digits(name)].append(name)
    for folder, by_digits in folders.items():
        try:
            with os.scandir(os.path.join(images, folder)) as entries:
                for entry in itertools.islice(entries, _ENTRIES):
                    for name in by_digits.get(_digits(entry.name), ()) if has_image_suffix(entry.name) else ():
                        file = os.path.join(folder, entry.name)
                        files[name] = max(files.get(name, (_LIKENESS, "")), (_likeness(name, file), file))
        except OSError:  # no folder, or one that may not be read
            continue
    return {name: file for name, (_, file) in files.items() if file}


def _digits(name: str) -> str:
    return re.sub("[^0-9]", "", os.path.basename(name))


def _likeness(name: str, other: str) -> float:
    """0 to 1, of two names without their suffixes."""
    stems = [_folded(os.path.splitext(os.path.basename(path))[0]) for path in (name, other)]
    matcher = difflib.SequenceMatcher(None, stems[0], stems[1])
    return matcher.ratio() if matcher.quick_ratio() >= _LIKENESS else 0.0


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
