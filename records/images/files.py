"""Bytes of the photos below --images, or inside the archives that --captions names, and of nothing else.

    data = read_image(images_dir, "a/b.jpg")                  # BadImage says what is wrong
    data = read_unchanged(images_dir, "a/b.jpg", crc32c)      # UserError when it is not what it was
"""

import errno
import functools
import os

import google_crc32c

from flags.errors import UserError
from records.images.extents import Extent, changed, read_extent
from records.util.regular_files import check_handle

MISSING = "photo does not exist"
MAX_FILE_BYTES = 512 << 20


class BadImage(Exception):
    """The image cannot be used; str() is the reason, and its part before the first ':' the countable class."""


def read_image(images_dir: str, name: str, follow_links: bool = False, extent: Extent | None = None) -> bytes:
    """The bytes of images_dir/name.

    Args:
      follow_links: whether links below images_dir may lead out of it.
      extent: where they lie instead, of a photo inside an archive.

    Raises:
      BadImage: the name leads outside images_dir, directly or through a link, or the file cannot be read.
      UserError: the archive changed.
    """
    if extent is not None:
        return read_extent(extent)
    if not name or "\0" in name or name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise BadImage(f"image name leads outside --images: {name!r}")
    try:
        if "://" in images_dir:
            from etils import epath  # 50 ms for every worker, and few have their photos elsewhere

            return (epath.Path(images_dir) / name).read_bytes()
        return _read_inside(images_dir, name, follow_links)
    except (FileNotFoundError, NotADirectoryError):
        raise BadImage(f"{MISSING}: {name!r}") from None
    except (OSError, ValueError) as error:
        raise BadImage(f"photo cannot be read: {getattr(error, 'strerror', None) or error}") from error


@functools.lru_cache(maxsize=1 << 12)  # photos share few folders, and resolving one costs as much as reading a photo
def _is_inside(images_dir: str, name: str) -> bool:
    root = os.path.realpath(images_dir)
    return os.path.commonpath((root, os.path.realpath(os.path.join(root, name)))) == root


def _read_inside(images_dir: str, name: str, follow_links: bool) -> bytes:
    path = os.path.join(images_dir, name)
    inside = follow_links or _is_inside(images_dir, os.path.dirname(name))
    flags = os.O_RDONLY | os.O_NONBLOCK  # a named pipe would wait for its other end, maybe for ever
    try:
        handle = os.open(path, flags | (0 if follow_links else os.O_NOFOLLOW)) if inside else None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        inside = _is_inside.__wrapped__(images_dir, name)
        handle = os.open(path, flags) if inside else None
    if handle is None:
        raise BadImage(f"photo is a link that leads outside --images: {name!r}")
    try:
        check_handle(handle, path)
        size = os.fstat(handle).st_size
        if size > MAX_FILE_BYTES:
            raise BadImage(f"photo's file is too large: more than {MAX_FILE_BYTES >> 20} MB")
        data = os.read(handle, size + 1)
        while part := os.read(handle, 1 << 20) if len(data) < size else b"":
            data += part
        return data
    finally:
        os.close(handle)


def read_unchanged(images_dir: str, name: str, crc32c: int, follow_links: bool = False,
                   extent: Extent | None = None) -> bytes:
    """The bytes of an image that was found good before.

    Args:
      crc32c: of its bytes then.
      follow_links, extent: as in `read_image`.

    Raises:
      UserError: they are others now.
    """
    try:
        data = read_image(images_dir, name, follow_links, extent)
        if google_crc32c.value(data) == crc32c:
            return data
        if extent is not None:
            raise changed(extent, f"the bytes of {name!r}")
        found = "its bytes changed"
    except BadImage as error:
        found = str(error)
    raise UserError(f"image {name!r} was good when it was checked, and is not what it was ({found}); nothing "
                    "may change below --images while make_records works: run it again with --overwrite")


def write_image(images_dir: str, name: str, data: bytes) -> None:
    """Writes images_dir/name, local or remote, unless it holds these bytes already.

    Raises:
      OSError: it cannot be written.
    """
    if "://" in images_dir:
        from etils import epath

        remote = epath.Path(images_dir) / name
        if not remote.exists() or remote.read_bytes() != data:
            remote.parent.mkdir(parents=True, exist_ok=True)
            remote.write_bytes(data)
        return
    path = os.path.join(images_dir, name)
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == len(data) and file.read() == data:
                return
    except FileNotFoundError:
        pass
    temporary = os.path.join(folder, f".{os.getpid()}.tmp")  # renamed, as the name may be that of a link
    with open(temporary, "wb") as file:
        file.write(data)
    os.replace(temporary, path)
