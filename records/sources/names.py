"""From the name that a table gives a photo to the name of its file under --images.

    names = FileNames("photos")
    names.complete("1000268201_693b08cb0e")     "1000268201_693b08cb0e.jpg"    an id without its suffix
    names.complete("391895")                    "000000391895.jpg"             COCO's ids, as numbers
    names.complete("café.jpg")                  the same letters as the file system stores them, NFC or NFD

Names in --split_lists are completed in the same way, so that both mean the same file.
"""

import functools
import itertools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator

from etils import epath

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".JPG", ".JPEG", ".PNG", ".tif", ".tiff", ".heic",
             ".avif")
_COCO_DIGITS = 12
_COCO_PREFIXES = ("", "COCO_val2014_", "COCO_train2014_", "COCO_test2014_", "COCO_test2015_")
_NUMBER = re.compile(r"#\d+$")  # of a caption, as Flickr's token files have it
# Photos that may be in neither place before the folder is no longer looked for, and rows that are looked at for them.
_FIRST_NAMES, FIRST_ROWS = 64, 1000


def has_image_suffix(name: object) -> bool:
    """Whether a name ends like an image file's; the number of a caption after it (`a.jpg#0`) does not count."""
    return isinstance(name, str) and os.path.splitext(_NUMBER.sub("", name.strip()))[1].lower() in _LOWER


_LOWER = frozenset(suffix.lower() for suffix in (*_SUFFIXES, ".jpe", ".jfif"))


class FileNames:
    """Completes names by looking at the files; without a folder every name stays as it is.

    Args:
      images: the folder, local or remote.
      folder: a folder in it that all names lie in, see `folder_of`.
    """

    def __init__(self, images: str, folder: str = ""):
        self._root = epath.Path(images) if images else None
        self._folder = folder
        self.complete = functools.lru_cache(maxsize=64)(self._complete)  # an image's captions follow one another

    def _complete(self, name: str) -> str:
        """The name of the file, or the name as given where there is none."""
        if self._root is None:
            return name
        name = f"{self._folder}/{name}" if self._folder else name
        if name.isascii() and has_image_suffix(name) and not _NUMBER.search(name):
            return name
        return next((form for form in _forms(name) if self.exists(form)), name)

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        try:
            return self._root is not None and (self._root / name).exists()
        except (OSError, ValueError):
            return False


def folder_of(names: Iterable[str], images: str, folder: str) -> str:
    """`folder`, as COCO's train2017, where photos lie in it and not in `images` itself; else "".

    As the first photo does that is in one of the two: of the first 64 names.
    """
    if not folder:
        return ""
    files = FileNames(images)
    for name in itertools.islice(dict.fromkeys(names), _FIRST_NAMES):
        if any(map(files.exists, _forms(name))):
            return ""
        if any(files.exists(f"{folder}/{form}") for form in _forms(name)):
            return folder
    return ""


def _forms(name: str) -> Iterator[str]:
    """The name itself, then what else its file may be called."""
    written = [name] if name.isascii() else list(dict.fromkeys("/".join(parts) for parts in itertools.islice(
        itertools.product(*[(part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part))
                            for part in name.split("/")]), 81)))
    yield from written
    if _NUMBER.search(name):
        yield from _forms(_NUMBER.sub("", name))
    if has_image_suffix(name):
        return
    if name.endswith(".0"):  # an id that a spreadsheet or pandas took for a number
        yield from _forms(name[:-2])
    folder, _, last = name.rpartition("/")
    if last.isdecimal() and last.isascii() and len(last) <= _COCO_DIGITS:
        written += [f"{folder}/{prefix}{last:0>{_COCO_DIGITS}}".lstrip("/") for prefix in _COCO_PREFIXES]
    for form in written:
        yield from (form + suffix for suffix in _SUFFIXES)
