"""Tars of photos with their texts: `webdataset:PATH/{00000..00099}.tar`, as img2dataset and webdataset write them.

What lies between two members of another name up to the first dot is one example: 000012.jpg with 000012.txt (one
caption), 000012.json (an object with captions or tags) or 000012.cls (a class, which is a tag); the first of these that
is there counts. With --target=tags a .txt is keywords. Several photos of one such name are examples of their own, by
their names up to the last dot, unless one of them has no other dot: 12.jpg with 12.seg.png is one example.

Photos are read where they lie in the tar; those of a compressed tar are copied into one file first.
"""

import bz2
import contextlib
import functools
import gzip
import itertools
import lzma
import operator
import os
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from flags.errors import UserError
from records.images.extents import Extent
from records.images.files import MAX_FILE_BYTES
from records.sources import columns
from records.sources.archives import tables_of_files
from records.sources.base import BadField, BadRow, Row, printable
from records.sources.caption_rows import caption_rows
from records.sources.json_text import loads
from records.sources.names import has_image_suffix
from records.sources.objects import rows_of
from records.sources.spool import Pack, PartNames
from records.sources.table import LINE_LIMIT, Table, text_of
from records.sources.tar_members import BadTar, members
from records.util.progress import Progress
from records.util.regular_files import open_binary

PREFIX = "webdataset:"
_TEXTS = (".txt", ".caption", ".json", ".cls")
_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_JPEG = (".jpg", ".jpeg")
_KEY = operator.itemgetter(0)
_BUFFER = 1 << 18  # small photos are read over, which costs less than seeking
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


class _Content(NamedTuple):
    """A photo or a text of an example.

    Attributes:
      stem, suffix: its name without folders, before and from its last dot; the suffix in lower case.
      is_photo: or else it is a text.
      extent: where a photo lies, of a tar that is not compressed.
      data: the bytes of anything else.
    """

    stem: str
    suffix: str
    is_photo: bool
    extent: Extent | None
    data: bytes


class _Fault(NamedTuple):
    """Why the example, or the rest of the tar, cannot be used."""

    reason: str


def matches(table: Table) -> bool:
    """--captions starts with webdataset:"""
    return table.path.startswith(PREFIX)


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, tar by tar, in stored order.

    Raises:
      UserError: there is no such tar, it cannot be read, or photos of a compressed one cannot be written.
    """
    tars = tables_of_files(table, PREFIX)
    total = sum(os.path.getsize(tar.path) for tar, _ in tars)
    with Progress("tars", total, "MB", scale=1e6) as progress:
        for tar, part in tars:
            yield from read_file(tar, part)
            progress.add(os.path.getsize(tar.path))


def read_file(tar: Table, part: str) -> Iterator[Row | BadRow]:
    """Like `read`, for one tar; `part` is the folder of its photos' names."""
    try:
        with open_binary(tar.path, _BUFFER) as raw, Pack(tar.scratch, tar.images, part) as pack:
            yield from _rows_of_tar(raw, PartNames(part), pack, tar)
    except OSError as error:
        raise UserError(f"--captions: {tar.path} cannot be read, or its photos cannot be written to {tar.scratch} "
                        f"({error.strerror or error})") from error


def _rows_of_tar(raw: BinaryIO, names: PartNames, pack: Pack, table: Table) -> Iterator[Row | BadRow]:
    label = table.name
    for key, group in itertools.groupby(_contents(raw, table.path), key=_KEY):
        contents = [content for _, content in group]
        fault = next((content for content in contents if isinstance(content, _Fault)), None)
        if fault is not None:
            yield BadRow(label, "", fault.reason)
            continue
        for name, photo, texts in _examples(key, cast(list[_Content], contents)):
            yield from _rows_of_example(name, photo, texts, f"{label}:{name}", names, pack, table)


def _contents(raw: BinaryIO, file: str) -> Iterator[tuple[str, _Content | _Fault]]:
    """Each photo and text of a tar, with its folders and its name up to the first dot."""
    magic = raw.read(6)
    raw.seek(0)
    opened = next((opened for start, opened in _COMPRESSED.items() if magic.startswith(start)), None)
    path = os.path.realpath(file)  # not /dev/stdin, which is another file in another process
    size = os.path.getsize(path) if opened is None else None
    try:
        if magic.startswith(_ZSTANDARD):
            raise BadTar("it is compressed by Zstandard: unpack it with zstd -d")
        with opened(raw) if opened else contextlib.nullcontext(raw) as stream:
            for name, offset, length in members(cast(BinaryIO, stream), size):
                folder, _, base = name.rpartition("/")
                stem, dot, rest = base.partition(".")
                if not stem or not dot:
                    continue
                suffix = f".{rest.rpartition('.')[2].lower()}"
                is_photo = _is_photo(suffix)
                if not is_photo and suffix not in _TEXTS:
                    continue
                key = f"{folder}/{stem}" if folder else stem
                full = base[:-len(suffix)]
                if length > (MAX_FILE_BYTES if is_photo else LINE_LIMIT):
                    yield key, _Fault(f"file in a tar is too large: {printable(name)}")
                elif is_photo and opened is None:
                    yield key, _Content(full, suffix, True, Extent(path, offset, length), b"")
                else:
                    data = stream.read(length)
                    if len(data) < length:
                        raise BadTar("unexpected end of data")
                    yield key, _Content(full, suffix, is_photo, None, data)
    except (BadTar, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        yield "\0", _Fault(f"tar is damaged or cut short: {printable(str(error), 80)}")


@functools.cache
def _is_photo(suffix: str) -> bool:
    return has_image_suffix(f"_{suffix}")


def _examples(key: str, contents: list[_Content]) -> Iterator[tuple[str, _Content | None, list[_Content]]]:
    """The examples of what has one key: the name, the photo and the texts of each."""
    base = key.rpartition("/")[2]
    photos = [content for content in contents if content.is_photo]
    texts = [content for content in contents if not content.is_photo]
    plain = [photo for photo in photos if photo.stem == base]
    folder = key[:len(key) - len(base)]
    if plain or len(photos) < 2:
        photo = min(plain, key=lambda photo: photo.suffix not in _JPEG) if plain else photos[0] if photos else None
        own = photo is not None and any(text.stem == photo.stem for text in texts)
        # Of two texts of one kind, as a.txt and a.blip.txt, the one with the photo's own name comes last and counts.
        texts.sort(key=lambda text: (text.stem == base, photo is not None and text.stem == photo.stem))
        yield (folder + photo.stem if photo is not None and own else key), photo, texts
        return
    for stem in dict.fromkeys(content.stem for content in contents):
        yield (folder + stem, next((photo for photo in photos if photo.stem == stem), None),
               [text for text in texts if text.stem == stem])


def _rows_of_example(name: str, photo: _Content | None, texts: list[_Content], where: str, names: PartNames,
                     pack: Pack, table: Table) -> Iterator[Row | BadRow]:
    if photo is None:
        yield BadRow(where, printable(name), "example has no photo: expected .jpg, .png, .webp or the like")
        return
    try:
        value = _value(texts, table.keywords)
        if not value:
            raise BadField("photo has no caption: expected .txt, .json or .cls of its name")
        image = names.name(name + photo.suffix)
    except BadField as error:
        yield BadRow(where, printable(name), str(error))
        return
    extent = photo.extent or pack.add(image, photo.data)
    if isinstance(value, dict):
        yield from rows_of({**value, "image": image}, table, where, extent=extent)
    else:
        yield from caption_rows(table, image, [value], where, extent=extent)


def _value(contents: list[_Content], keywords: bool) -> tuple[str, str] | dict[str, Any]:
    """What the texts of an example say: the name of a column and its text, or an object; an empty one for nothing."""
    texts = {content.suffix: text_of(content.data).strip() for content in contents}
    if text := texts.get(".txt") or texts.get(".caption"):
        return "tags" if keywords else "caption", text
    if text := texts.get(".json"):
        try:
            value = loads(text)
        except (ValueError, RecursionError):
            raise BadField("text is no JSON") from None
        if isinstance(value, dict):  # its names of the photo are those of where it came from
            return {name: value[name] for name in value if columns.find((name,), columns.IMAGE) is None}
        return {"captions": value} if value and isinstance(value, str | list) else {}
    return {"label": texts[".cls"]} if texts.get(".cls") else {}
