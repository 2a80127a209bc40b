"""Folders of photos that say themselves what is on them, without a table.

`--captions=sidecar`: dog.jpg and dog.txt or dog.caption beside it, each line of which is a caption; with --target=tags
each line is keywords, as kohya's trainers write them ("1girl, solo, long hair").

`--captions=folders`: cat/1.jpg is tagged "cat", as torchvision's ImageFolder has it; train/cat/1.jpg is of train.
"""

import os
from collections.abc import Iterator

from flags.errors import UserError
from records.sources.base import BadField, BadRow, Row, known_split, make_keyword_row, make_row, printable
from records.sources.names import has_image_suffix
from records.sources.table import LINE_LIMIT, Table

SIDECAR, FOLDERS = "sidecar", "folders"
_TEXTS = (".txt", ".caption", ".TXT", ".CAPTION")


def is_sidecar(table: Table) -> bool:
    """--captions is the word itself."""
    return table.path == SIDECAR


def is_folders(table: Table) -> bool:
    """--captions is the word itself."""
    return table.path == FOLDERS


def read_sidecar(table: Table) -> Iterator[Row | BadRow]:
    """One row per line of a photo's text; a photo without a text is a BadRow."""
    for folder, photos, others in _folders(table.images):
        texts = {os.path.splitext(name)[0]: name for name in reversed(sorted(others, key=_preference))}
        used: set[str] = set()
        for photo in photos:
            stem = os.path.splitext(photo)[0]
            text = texts.get(photo) or texts.get(stem)  # dog.jpg.txt is as common as dog.txt
            name = f"{folder}{photo}"
            if text is None:
                yield BadRow(name, name, "image has no caption: there is no .txt or .caption of its name")
                continue
            used.add(text)
            yield from _sidecar_rows(table, name, f"{folder}{text}", folder)
        for text in sorted(set(texts.values()) - used):
            yield BadRow(f"{folder}{text}", "", "text has no image: there is no photo of its name")


def _preference(name: str) -> tuple[int, str]:
    return _TEXTS.index(os.path.splitext(name)[1]), name


def _sidecar_rows(table: Table, photo: str, text: str, folder: str) -> Iterator[Row | BadRow]:
    path = os.path.join(table.images, text)
    try:
        if not os.path.isfile(path):  # a pipe would wait for ever
            raise OSError("no regular file")
        with open(path, "rb") as file:
            data = file.read(LINE_LIMIT + 1)
    except OSError as error:
        yield BadRow(text, photo, f"caption file cannot be read: {error.strerror or error}")
        return
    if len(data) > LINE_LIMIT:
        yield BadRow(text, photo, f"caption file is longer than {LINE_LIMIT:,} bytes")
        return
    lines = data.decode("utf-8-sig", "surrogateescape").splitlines()
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        yield BadRow(text, photo, "caption is empty")
    split = _split_of(folder) if table.own_splits else None
    make = make_keyword_row if table.keywords else make_row
    for number, line in filled:
        yield make(photo, line, f"{text}:{number}", split)


def read_folders(table: Table) -> Iterator[Row | BadRow]:
    """One row per photo, with its folder's name as its tag; folders inside that one count as it."""
    for folder, photos, _ in _folders(table.images):
        parts = folder.split("/")[:-1]
        split = _split_of(folder)
        parts = parts[1:] if split else parts
        for photo in photos:
            name = f"{folder}{photo}"
            if parts:
                yield make_keyword_row(name, [parts[0]], name, split if table.own_splits else None)
            else:
                yield BadRow(name, name, "image has no tag: it lies in no folder whose name could be its tag")


def _split_of(folder: str) -> str | None:
    """The split that the top folder is named after, if any."""
    try:
        return known_split(folder.partition("/")[0])
    except BadField:
        return None


def _folders(images: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder below --images with photos or texts: its path with a "/" at the end, "" for the top; both sorted."""

    def fail(error: OSError) -> None:
        raise UserError(f"--images: {printable(error.filename)} cannot be read ({error.strerror})") from error

    if "://" in images:
        raise UserError(f"--images={images}: photos without a table are read from local folders only; copy them, or "
                        "write a table")
    for path, folders, files in os.walk(images, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = [name for name in files if not name.startswith(".")]
        photos = sorted(filter(has_image_suffix, shown))
        texts = [name for name in shown if os.path.splitext(name)[1] in _TEXTS]
        if photos or texts:
            relative = os.path.relpath(path, images).replace(os.sep, "/")
            yield "" if relative == "." else f"{relative}/", photos, texts
