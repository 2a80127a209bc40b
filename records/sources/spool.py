"""Photos that a source brings along: their names, and where their bytes go that cannot be read where they lie.

    names = PartNames("00000")
    names.name("dog.jpg", data)                      # "00000/dog.jpg"
    with Pack(folder, images, "00000") as pack:
        pack.add("00000/dog.jpg", data)              # Extent("folder/00000.photos", 0, 20480)
    Spool(images, "train").store("dog.jpg", data)    # "train/dog.jpg"; nothing is written where the same bytes are
"""

import os
from typing import BinaryIO

import google_crc32c

from records.images.extents import Extent
from records.images.files import write_image
from records.sources.base import BadField, image_name

_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"),
             (b"II*\0", ".tiff"), (b"MM\0*", ".tiff"))


class PartNames:
    """Names of the photos of one part of a source, such as a split or an archive.

    Args:
      part: folder that all of them are in.
    """

    def __init__(self, part: str):
        self.part = part
        self._used: set[str] = set()

    def name(self, name: str, data: bytes = b"") -> str:
        """A photo's name with the part before it; one without a suffix gets that of its format.

        Raises:
          BadField: no file can have this name, or an earlier photo of the part has it.
        """
        name = image_name(name)
        if not os.path.splitext(name)[1]:
            name += next((suffix for magic, suffix in _SUFFIXES if data.startswith(magic)), ".img")
        if name in self._used:
            raise BadField("image name is used by an earlier example of the split")
        self._used.add(name)
        return f"{self.part}/{name}"


class Spool:
    """Files of the photos of one part.

    Args:
      images: folder, local or remote, that the names of rows are relative to.
      part: folder in it for these photos.

    Attributes:
      folder: the path of that.
    """

    def __init__(self, images: str, part: str):
        self.part, self.folder = part, os.path.join(images, part)
        self._images, self._names = images, PartNames(part)

    def store(self, name: str, data: bytes) -> str:
        """Writes a photo and returns its name under `images`. An interrupted run writes what is missing.

        Raises:
          BadField: as `PartNames.name` does.
          OSError: it cannot be written.
        """
        name = self._names.name(name, data)
        write_image(self._images, name, data)
        return name


class Pack:
    """One file with the photos of a part, one after the other: written and read in half the time of a file each.

    Args:
      folder: the file's folder, made when the first photo comes. In an object store, where no file can be appended to,
        photos become a file each, under `images`.
      images: folder that the names of rows are relative to.
      part: name of the file, without its suffix. It is there when the pack is closed, whole; one that was there
        before, by a run that was killed or by another worker of a cluster, is replaced.
    """

    def __init__(self, folder: str, images: str, part: str):
        self._images, self._is_remote = images, "://" in folder
        self._path = os.path.abspath(os.path.join(folder, f"{part}.photos"))
        self._temporary = f"{self._path}.tmp-{os.getpid()}"
        self._file: BinaryIO | None = None
        self._end = 0

    def __enter__(self) -> "Pack":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """Closes the file. It is not synced: mostly it is gone again before the system would write it to a disk."""
        if self._file is None:
            return
        self._file.close()
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            os.unlink(self._temporary)

    def add(self, name: str, data: bytes) -> Extent | None:
        """Appends a photo; where it lies, or None where it is a file of its own.

        Raises:
          OSError: it cannot be written.
        """
        if self._is_remote:
            write_image(self._images, name, data)
            return None
        if self._file is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            self._file = open(self._temporary, "wb", buffering=1 << 20)  # noqa: SIM115
        self._file.write(data)
        extent = Extent(self._path, self._end, len(data), google_crc32c.value(data))
        self._end += len(data)
        return extent
