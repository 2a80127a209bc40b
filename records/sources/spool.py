"""Photos that a source brings along, written under --images, so that all that follows is as for a folder of photos.

    with Spool(folder, "train") as spool:
        spool.store("dog.jpg", data)         # "train/dog.jpg"; nothing is written where the same bytes are there

An interrupted run writes what is missing. Nothing is synced: what a power cut spoils, the next run writes anew.
"""

import os

from etils import epath

from records.sources.base import BadField, image_name

_SUFFIXES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"RIFF", ".webp"),
             (b"II*\0", ".tiff"), (b"MM\0*", ".tiff"))


class Spool:
    """The photos of one part of a source, such as a split or an archive.

    Args:
      images: folder, local or remote, that the names of rows are relative to.
      part: folder in it for these photos.

    Attributes:
      folder: the path of that.
    """

    def __init__(self, images: str, part: str):
        self.part, self.folder = part, os.path.join(images, part)
        self._images = images
        self._is_remote = "://" in images
        self._used: set[str] = set()
        self._present: dict[str, set[str]] = {}  # names of earlier runs, by folder

    def store(self, name: str, data: bytes) -> str:
        """Writes a photo and returns its name under `images`; a name without a suffix gets that of its format.

        Raises:
          BadField: no file can have this name, or an earlier photo of the part has it.
          OSError: it cannot be written.
        """
        name = image_name(name)
        if not os.path.splitext(name)[1]:
            name += next((suffix for magic, suffix in _SUFFIXES if data.startswith(magic)), ".img")
        if name in self._used:
            raise BadField("image name is used by an earlier example of the split")
        self._used.add(name)
        name = f"{self.part}/{name}"
        if self._is_remote:
            self._store_remotely(epath.Path(self._images) / name, data)
        else:
            self._store_here(os.path.join(self._images, name), data)
        return name

    def _store_here(self, path: str, data: bytes) -> None:
        folder, name = os.path.split(path)
        if folder not in self._present:
            os.makedirs(folder, exist_ok=True)
            self._present[folder] = set(os.listdir(folder))  # opening a file that is not there is not free
        if name in self._present[folder]:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size == len(data) and file.read() == data:
                    return
        temporary = os.path.join(folder, f".{os.getpid()}.tmp")
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)

    @staticmethod
    def _store_remotely(path: epath.Path, data: bytes) -> None:
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
