"""Tars of photos with their texts: `webdataset:PATH/{00000..00099}.tar`, as img2dataset and webdataset write them.

What lies between two members of another name up to the first dot is one example: 000012.jpg with 000012.txt (one
caption), 000012.json (an object with captions or tags) or 000012.cls (a class, which is a tag); the first of these that
is there counts. With --target=tags a .txt is keywords. Tars are read as streams; the photos are written to TAR/NAME
under --images.
"""

import itertools
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.archives import files_of, parts_of, split_of
from records.sources.base import BadField, BadRow, Row, printable
from records.sources.names import has_image_suffix
from records.sources.objects import rows_of
from records.sources.spool import Spool
from records.sources.table import LINE_LIMIT, Table
from records.util.progress import Progress

PREFIX = "webdataset:"
_MOST_BYTES = 512 << 20  # of a photo, as of one in a folder
_TEXTS = (".txt", ".caption", ".json", ".cls")


def matches(table: Table) -> bool:
    """--captions starts with webdataset:"""
    return table.path.startswith(PREFIX)


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, tar by tar, in stored order.

    Raises:
      UserError: there is no such tar, or its photos cannot be written.
    """
    files = files_of(table.path if matches(table) else PREFIX + table.path)
    total = sum(map(os.path.getsize, files))
    with Progress("tars", total, "MB", scale=1e6) as progress:
        for file, part in zip(files, parts_of(files), strict=True):
            yield from read_file(file, part, table, progress.add)


def read_file(file: str, part: str, table: Table, progress: Callable[[int], None] = lambda size: None
              ) -> Iterator[Row | BadRow]:
    """Like `read`, for one tar.

    Args:
      part: the folder under --images for its photos.
      progress: called with the bytes of every example.
    """
    try:
        yield from _rows_of_tar(file, Spool(table.images, part), table, progress)
    except OSError as error:
        raise UserError(f"--captions: {file} cannot be read, or its photos cannot be written to "
                        f"{table.images} ({error.strerror or error})") from error


def _rows_of_tar(file: str, spool: Spool, table: Table, progress: Callable[[int], None]
                 ) -> Iterator[Row | BadRow]:
    split = split_of(file)
    name = os.path.basename(file)
    for key, members in itertools.groupby(_members(file), key=lambda member: member[0]):
        contents = dict(suffix_and_data for _, suffix_and_data in members)
        if (fault := contents.get("")) is not None:
            yield BadRow(name, "", fault.decode())
            continue
        yield from _rows_of_example(key, contents, f"{name}:{key}", spool, table, split)
        progress(sum(map(len, contents.values())))


def _members(file: str) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """(name up to the first dot, (the rest in lower case, bytes)) of each photo and text; ("", reason) for a fault."""
    try:
        with tarfile.open(file, "r|*", bufsize=1 << 20) as tar:
            for member in tar:
                folder, base = os.path.split(member.name)
                stem, dot, rest = base.partition(".")
                suffix = "." + rest.rpartition(".")[2].lower()
                if not member.isfile() or not dot or base.startswith("."):
                    continue
                is_photo = has_image_suffix(base)
                if not is_photo and suffix not in _TEXTS:
                    continue
                key = os.path.join(folder, stem)
                if member.size > (_MOST_BYTES if is_photo else LINE_LIMIT):
                    yield key, ("", f"file in a tar is too large: {printable(member.name)}".encode())
                    continue
                stream = tar.extractfile(member)
                yield key, (suffix, stream.read() if stream else b"")
    except (tarfile.TarError, EOFError) as error:
        yield "\0", ("", f"tar is damaged or cut short: {printable(str(error), 80)}".encode())


def _rows_of_example(key: str, contents: dict[str, bytes], where: str, spool: Spool, table: Table,
                     split: str | None) -> Iterator[Row | BadRow]:
    suffix = next((suffix for suffix in contents if has_image_suffix(key + suffix)), None)
    if suffix is None:
        yield BadRow(where, printable(key), "example has no photo: expected .jpg, .png, .webp or the like")
        return
    try:
        captions = _captions(contents, table.keywords)
        if not captions:
            raise BadField("image has no caption: expected .txt, .json or .cls of its name")
        image = spool.store(key + suffix, contents[suffix])
    except BadField as error:
        yield BadRow(where, printable(key), str(error))
        return
    yield from rows_of({**captions, "image": image}, table, where, split=split)


def _captions(contents: dict[str, bytes], keywords: bool) -> dict[str, Any]:
    """What the texts of an example say, as an object with a caption, captions, tags and the like, or none."""
    texts = {suffix: data.decode("utf-8-sig", "surrogateescape").strip() for suffix, data in contents.items()
             if suffix in _TEXTS}
    if text := texts.get(".txt") or texts.get(".caption"):
        return {"tags" if keywords else "caption": text}
    if text := texts.get(".json"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise BadField("text is no JSON") from None
        if isinstance(value, str):
            return {"caption": value}
        names = list(value) if isinstance(value, dict) else []
        if found := columns.find_captions(names):
            return {names[index]: value[names[index]] for index in found}
    return {"label": texts[".cls"]} if texts.get(".cls") else {}
