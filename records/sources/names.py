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
from collections.abc import Iterator

from etils import epath

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".JPG", ".JPEG", ".PNG", ".tif", ".tiff", ".heic",
             ".avif")
_COCO_DIGITS = 12
_COCO_PREFIXES = ("", "COCO_val2014_", "COCO_train2014_", "COCO_test2014_", "COCO_test2015_")
_NUMBER = re.compile(r"#\d+$")  # of a caption, as Flickr's token files have it
_UNDECIDED = 64  # photos that may be in neither place before the folder is no longer looked for


def has_image_suffix(name: object) -> bool:
    """Whether a name ends like an image file's; the number of a caption after it (`a.jpg#0`) does not count."""
    return isinstance(name, str) and os.path.splitext(_NUMBER.sub("", name.strip()))[1].lower() in _LOWER


_LOWER = frozenset(suffix.lower() for suffix in (*_SUFFIXES, ".jpe", ".jfif"))


class FileNames:
    """Completes names by looking at the files; without a folder every name stays as it is.

    Args:
      images: the folder, local or remote.
      folder: a folder in it where the photos may lie that are not in `images` itself, as COCO's train2017.
    """

    def __init__(self, images: str, folder: str = ""):
        self._root = epath.Path(images) if images else None
        self._folder = folder if folder and images and self.exists(folder) else ""
        self._undecided = _UNDECIDED if self._folder else 0
        self.complete = functools.lru_cache(maxsize=64)(self._complete)  # an image's captions follow one another

    def _complete(self, name: str) -> str:
        """The name of the file, or the name as given where there is none."""
        if self._root is None:
            return name
        if self._undecided:
            self._decide(name)
        name = f"{self._folder}/{name}" if self._folder and not self._undecided else name
        if name.isascii() and has_image_suffix(name) and not _NUMBER.search(name):
            return name
        return next((form for form in _forms(name) if self.exists(form)), name)

    def _decide(self, name: str) -> None:
        """Whether photos lie in the folder or beside it: as the first one does that is found."""
        direct = any(map(self.exists, _forms(name)))
        if direct or any(self.exists(f"{self._folder}/{form}") for form in _forms(name)):
            self._undecided, self._folder = 0, "" if direct else self._folder
        else:
            self._undecided -= 1
            self._folder = self._folder if self._undecided else ""

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        try:
            return self._root is not None and (self._root / name).exists()
        except (OSError, ValueError):
            return False


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
