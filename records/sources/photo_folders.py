"""Folders of photos that say themselves what is on them, without a table.

`--captions=sidecar`: dog.jpg and dog.caption or dog.txt beside it, each line of which is a caption; with --target=tags
each line is keywords, as kohya's trainers write them ("1girl, solo, long hair"), and dog.txt goes before dog.caption.

`--captions=folders`: cat/1.jpg is tagged "cat", as torchvision's ImageFolder has it; train/cat/1.jpg and
cat/train/1.jpg are of train. A folder that all photos lie in, as data/ in data/cat/1.jpg, is no tag. A folder
called train among others that are no splits (train, bus, car) is a vehicle: a tag, where there is no other.

Both search linked folders too; photos in them are held to what holds for links (--follow_links). Records that lie below
--images are not searched.
"""

import collections
import os
import re
from collections.abc import Iterator

from flags.errors import UserError
from records.sources.base import BadField, BadRow, Row, known_split, make_keyword_row, make_row, printable
from records.sources.names import has_image_suffix
from records.sources.table import LINE_LIMIT, Table, text_of

SIDECAR, FOLDERS = "sidecar", "folders"
_TEXTS = (".txt", ".caption", ".TXT", ".CAPTION")
_OF_RECORDS = ("manifest.json", "dataset_info.json", "vocabulary.txt")  # files that records have and photos have not
_BOX = re.compile(r"\s*\d+(?:\s+-?[\d.]+){4,}\s*")


def is_sidecar(table: Table) -> bool:
    """--captions is the word itself."""
    return table.path == SIDECAR


def is_folders(table: Table) -> bool:
    """--captions is the word itself."""
    return table.path == FOLDERS


def read_sidecar(table: Table) -> Iterator[Row | BadRow]:
    """One row per line of a photo's text; a photo without a text is a BadRow."""
    for folder, photos, others in _folders(table.images):
        ordered = sorted(others, key=lambda name: (_is_caption(name) == table.keywords, name), reverse=True)
        texts = {os.path.splitext(name)[0]: name for name in ordered}  # the last of a stem counts
        used: set[str] = set()
        for photo in photos:
            stem = os.path.splitext(photo)[0]
            text = texts.get(photo) or texts.get(stem)  # dog.jpg.txt is as common as dog.txt
            name = f"{folder}{photo}"
            if text is None:
                yield BadRow(name, name, "photo has no caption: there is no .txt or .caption of its name")
                continue
            used.add(text)
            yield from _sidecar_rows(table, name, f"{folder}{text}", folder)
        for text in sorted(set(texts.values()) - used):
            yield BadRow(f"{folder}{text}", "", "text has no photo: there is no photo of its name")


def _is_caption(name: str) -> bool:
    return name.lower().endswith(".caption")


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
    lines = text_of(data).splitlines()
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        yield BadRow(text, photo, "caption is empty")
    if filled and all(_BOX.fullmatch(line) for _, line in filled):
        yield BadRow(text, photo, "caption file holds numbers alone, as YOLO writes boxes: expected words")
        return
    split = _known(folder.partition("/")[0]) if table.own_splits else None
    make = make_keyword_row if table.keywords else make_row
    for number, line in filled:
        yield make(photo, line, f"{text}:{number}", split)


def read_folders(table: Table) -> Iterator[Row | BadRow]:
    """One row per photo, with its folder's name as its tag; folders inside that one count as it."""
    common: list[str] | None = None  # the folders that all photos lie in, but for the last of each
    beside: dict[str, set[str]] = collections.defaultdict(set)  # by folder, those in it that lead to photos
    for folder, photos, _ in _folders(table.images):
        if photos:
            outer = _classes(folder)[:-1]
            common = outer if common is None else list(os.path.commonprefix([common, outer]))
            parts = folder.split("/")[:-1]
            for depth, part in enumerate(parts):
                beside["/".join(parts[:depth])].add(part)
    for folder, photos, _ in _folders(table.images):
        parts = folder.split("/")[:-1]
        classes = _classes(folder)[len(common or ()):]
        if not classes and parts and _is_a_class(parts[-1], beside["/".join(parts[:-1])]):
            classes = [parts.pop()]
        split = next(filter(None, map(_known, parts)), None) if table.own_splits else None
        for photo in photos:
            name = f"{folder}{photo}"
            if classes:
                yield make_keyword_row(name, [classes[0]], name, split)
            else:
                yield BadRow(name, name, "photo has no tag: it lies in no folder whose name could be its tag")


def _classes(folder: str) -> list[str]:
    """The folders on a path but for those that are named after a split."""
    return [part for part in folder.split("/")[:-1] if _known(part) is None]


def _is_a_class(name: str, beside: set[str]) -> bool:
    """Whether a folder called train is that of a vehicle: those beside it are not named after splits."""
    return name.lower() == "train" and len(beside) > 1 and [other for other in beside if _known(other)] == [name]


def _known(name: str) -> str | None:
    """The split that a folder is named after, if any."""
    try:
        return known_split(name)
    except BadField:
        return None


def _folders(images: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder below --images with photos or texts: its path with a "/" at the end, "" for the top; both sorted."""

    def fail(error: OSError) -> None:
        raise UserError(f"--images: {printable(error.filename)} cannot be read ({error.strerror})") from error

    if "://" in images:
        raise UserError(f"--images={images}: photos without a table are read from local folders only; copy them, or "
                        "write a table")
    identities: dict[str, frozenset[tuple[int, int]]] = {images: frozenset()}  # of what is above each folder to come
    for path, folders, files in os.walk(images, onerror=fail, followlinks=True):
        above = identities.pop(path) | {_identity(path)}
        folders[:] = sorted(name for name in folders if not name.startswith(".")
                            and not _leads_back(os.path.join(path, name), above)
                            and not _holds_records(os.path.join(path, name)))
        identities.update((os.path.join(path, name), above) for name in folders)
        shown = [name for name in files if not name.startswith(".")]
        photos = sorted(filter(has_image_suffix, shown))
        texts = [name for name in shown if os.path.splitext(name)[1] in _TEXTS]
        if photos or texts:
            relative = os.path.relpath(path, images).replace(os.sep, "/")
            yield "" if relative == "." else f"{relative}/", photos, texts


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _leads_back(path: str, above: frozenset[tuple[int, int]]) -> bool:
    """Whether a folder is a link to one that it lies in."""
    return os.path.islink(path) and _identity(path) in above


def _holds_records(path: str) -> bool:
    """Whether make_records wrote a folder, or is writing it: its texts and sheets are no texts of photos."""
    return (os.path.isdir(os.path.join(path, ".make_records"))
            or all(os.path.isfile(os.path.join(path, name)) for name in _OF_RECORDS))
