"""The formats that captions come in, how one is recognised, and the one way to open them all."""

import dataclasses
import glob
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from etils import epath

from flags.errors import UserError
from records.sources import (
    archives,
    coco,
    columns,
    csv_table,
    descriptions,
    flickr,
    json_document,
    jsonl,
    karpathy,
    parquet,
    photo_folders,
    tfds,
    webdataset,
)
from records.sources.base import BadField, BadRow, Row, known_split, shown
from records.sources.names import FIRST_ROWS, FileNames, folder_of
from records.sources.table import Table, markup


@dataclasses.dataclass(frozen=True)
class Format:
    """One value of --captions_format.

    Attributes:
      matches: whether a table, judged by its name and its first 64 KiB, is of this format.
      read: the table's rows, good and bad, as a stream.
    """

    matches: Callable[[Table], bool]
    read: Callable[[Table], Iterator[Row | BadRow]]


# In the order in which they are tried: the weakest signs come last.
FORMATS = {
    "tfds": Format(tfds.matches, tfds.read),
    "webdataset": Format(webdataset.matches, webdataset.read),
    "parquet": Format(parquet.matches, parquet.read),
    "sidecar": Format(photo_folders.is_sidecar, photo_folders.read_sidecar),
    "folders": Format(photo_folders.is_folders, photo_folders.read_folders),
    "karpathy": Format(karpathy.matches, karpathy.read),
    "coco": Format(coco.matches, coco.read),
    "jsonl": Format(jsonl.matches, jsonl.read),
    "json": Format(json_document.matches, json_document.read),
    "flickr": Format(flickr.matches, flickr.read),
    "csv": Format(csv_table.matches, csv_table.read),
    "descriptions": Format(descriptions.matches, descriptions.read),
}
AUTO = "auto"
_ARCHIVES = {"webdataset": webdataset.PREFIX, "parquet": parquet.PREFIX}
_SPOOLED = {"tfds": tfds.PREFIX, **_ARCHIVES}
_TABLELESS = (photo_folders.SIDECAR, photo_folders.FOLDERS)


def detect(captions: str) -> str:
    """The name in FORMATS of the format that a caption table has.

    Raises:
      UserError: the file cannot be read, is empty, or is of no known format.
    """
    table = Table(captions, "")
    for name, form in FORMATS.items():
        if form.matches(table):
            return name
    first = "".join(_check_not_empty(table).first_lines(1)).strip()
    if (kind := markup(table.head)) is not None:
        raise UserError(f"--captions: {captions} is no caption table of a known format, but {kind[0]}: {kind[1]}")
    if "://" in first:
        raise UserError(f"--captions: {captions} is no caption table of a known format: its first line {shown(first)} "
                        "names the photo by a URL; download the photos, and name their files in a column called image")
    raise UserError(f"--captions: {captions} is no caption table of a known format: its first line is {shown(first)}; "
                    f"expected a CSV with {columns.HEADER}: rename the columns, or add such a line; or JSON lines, "
                    "a JSON array, name#0<TAB>caption, or COCO or Karpathy JSON (--captions_format names one of them)")


def _check_not_empty(table: Table) -> Table:
    if not table.head.strip():
        raise UserError(f"--captions: {table.path} is empty; expected a table of image names and captions")
    return table


def is_spooled(captions: str, captions_format: str = AUTO) -> bool:
    """Whether the source brings its images along and writes them to a folder, instead of finding them there."""
    return captions_format in _SPOOLED or captions.startswith(tuple(_SPOOLED.values()))


def is_tableless(captions: str, captions_format: str = AUTO) -> bool:
    """Whether --captions is a word for what the folders of --images say by themselves."""
    return captions_format in _TABLELESS or captions in _TABLELESS


def dataset_sha256(captions: str, captions_format: str, images: str, keywords: bool) -> str | None:
    """Hash of the content of a source that is no table; None for tables, and for a dataset before it is prepared.

    Args:
      images, keywords: as for `open_source`.

    Raises:
      UserError: there is no such source.
    """
    if is_tableless(captions, captions_format):
        digest = hashlib.sha256()  # of what rows had when the first records were made from folders
        for row in open_source(captions, captions_format, images, keywords=keywords):
            digest.update(repr(_without_extent(row)).encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    for form, prefix in _ARCHIVES.items():
        if captions_format == form or captions.startswith(prefix):
            return archives.content_sha256(prefix + captions.removeprefix(prefix))
    return tfds.content_sha256(captions) if is_spooled(captions, captions_format) else None


def _without_extent(row: Row | BadRow) -> tuple[Any, ...]:
    return tuple(getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "extent")


def table_files(captions: str) -> list[str]:
    """The tables that --captions names: one file, or several separated by commas, each of which may be a pattern.

    A dataset (`tfds:NAME`) is one and stays as it is; so does a name with commas or wildcards that is a file.

    Raises:
      UserError: a pattern fits no file, one file is named twice, or a dataset is named beside another table.
    """
    if is_spooled(captions) and "," not in captions or is_tableless(captions):
        return [captions]
    for prefix in _ARCHIVES.values():
        if captions.startswith(prefix) and all(part.strip().startswith(prefix) or not is_spooled(part.strip())
                                               for part in captions.split(",")):
            return [captions]
    parts = [captions] if os.path.exists(captions) else [part.strip() for part in captions.split(",") if part.strip()]
    files: list[str] = []
    for part in parts:
        part = os.path.expanduser(part)
        if len(parts) > 1 and is_spooled(part):
            raise UserError(f"--captions={captions}: {part} brings its own photos and is read alone; make records of "
                            "each, the second with --vocabulary=FIRST, and train on both")
        if re.search(r"[*?\[]", part) and not os.path.exists(part) and "://" not in part:
            matched = sorted(glob.glob(part, recursive=True))
            if not matched:
                raise UserError(f"--captions: no file is of the form {part}; expected the path of a table, or a "
                                "pattern that some are of")
            files += matched
        else:
            files.append(part)
    if not files:
        raise UserError("--captions names no table; expected the path of a file")
    for name, group in itertools.groupby(sorted(map(os.path.abspath, files))):
        if len(list(group)) > 1:
            raise UserError(f"--captions: {name} is named twice; name it once")
    return files


def check_exists(captions: str, captions_format: str = AUTO) -> None:
    """Checks, at once, that there are the files that --captions names.

    Raises:
      UserError: one does not exist. A dataset of TensorFlow Datasets may have to be prepared, and is not looked for.
    """
    for form, prefix in _ARCHIVES.items():
        if captions_format == form or captions.startswith(prefix):
            archives.files_of(prefix + captions.removeprefix(prefix))
            return
    if is_spooled(captions, captions_format) or is_tableless(captions, captions_format):
        return
    for file in table_files(captions):
        if not epath.Path(file).exists():
            raise UserError(f"--captions: {file} does not exist; give the path of a file")


def open_source(captions: str, captions_format: str, images: str, scratch: str | None = None,
                own_splits: bool = True, keywords: bool = False) -> Iterator[Row | BadRow]:
    """Reads caption tables as one stream; what cannot be used comes out as BadRow, in place.

    Args:
      captions: value of --captions, see `table_files`: on any path that etils knows, gzip-compressed or not, or
        "tfds:NAME". Where several files are named after different splits, as captions_train2017.json and
        captions_val2017.json, these are the splits of rows that have none of their own.
      captions_format: "auto" or a name in FORMATS.
      images: folder that the image names are relative to.
      scratch: local folder for photos that a source brings along (see `is_spooled`) and that cannot be read where they
        lie. Default: `images`. A dataset's are written to `images`.
      own_splits: whether the splits that the tables give their rows count.
      keywords: whether texts beside the photos (sidecar, webdataset) are keywords.

    Raises:
      UserError: there is no table of that format, or it has no row at all. Raised by this call for what the first
        64 KiB tell, while iterating for the rest.
    """
    if captions_format not in (AUTO, *FORMATS):
        raise UserError(f"--captions_format={captions_format} is unknown: expected one of {AUTO}, {', '.join(FORMATS)}")
    tables = tables_of(captions, captions_format, images, own_splits, keywords, scratch)
    return (row for table, form in tables for row in rows_of(table, form))


def tables_of(captions: str, captions_format: str, images: str, own_splits: bool = True,
              keywords: bool = False, scratch: str | None = None) -> list[tuple[Table, str]]:
    """The tables that `open_source` reads one after the other, each with its format; raises what it does."""
    files = table_files(captions)
    formats = [detect(file) if captions_format == AUTO else captions_format for file in files]
    if is_spooled(captions, captions_format) or is_tableless(captions, captions_format):
        return [(Table(captions, images, own_splits=own_splits, keywords=keywords, scratch=scratch or images),
                 formats[0])]
    splits = _splits_of(files) if own_splits else [None] * len(files)
    tables = [Table(file, images, label, split, own_splits)
              for file, label, split in zip(files, _labels(files), splits, strict=True)]
    tables = [_check_not_empty(table) for table in tables]
    separated = [index for index, form in enumerate(formats) if form == "csv"]
    if len(separated) > 1:
        for index, table in zip(separated, csv_table.with_layouts([tables[index] for index in separated]), strict=True):
            tables[index] = table
    return list(zip(tables, formats, strict=True))


def remarks(captions: str, captions_format: str, images: str, own_splits: bool = True) -> list[str]:
    """Lines for a summary on columns told by their values rather than their names; raises what reading does."""
    if is_spooled(captions, captions_format) or is_tableless(captions, captions_format):
        return []
    by_text: dict[str, list[str]] = {}
    for table, form in tables_of(captions, captions_format, images, own_splits):
        for text in csv_table.remarks(table) if form == "csv" else ():
            by_text.setdefault(text, []).append(table.name)
    return [f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {text}"
            for text, names in by_text.items()]


def _labels(files: list[str]) -> list[str]:
    """What `where` calls each file: its base name, with the folder where two have the same."""
    names = [os.path.basename(file) for file in files]
    return [file if names.count(name) > 1 else name for file, name in zip(files, names, strict=True)]


_SPLIT_IN_NAME = re.compile(r"(?<![a-z])(?:train|val|valid|validation|dev|test)(?:val)?\d*(?![a-z])", re.IGNORECASE)


def splits_in_names(captions: str, captions_format: str = AUTO) -> dict[str, str | None]:
    """The split that the name of each table says, by that name; None where it says none. {} for what is no table."""
    if is_spooled(captions, captions_format) or is_tableless(captions, captions_format):
        return {}
    files = table_files(captions)
    return dict(zip(_labels(files), map(_split_in_name, files), strict=True))


def _split_in_name(file: str) -> str | None:
    match = _SPLIT_IN_NAME.search(os.path.basename(file))
    try:
        return known_split(match[0]) if match else None
    except BadField:
        return None


def _splits_of(files: list[str]) -> list[str | None]:
    """The splits that several files are named after; all None where one is not, or all are named after the same."""
    found = [_split_in_name(file) for file in files]
    return found if len(set(found)) > 1 and None not in found else [None] * len(files)


def rows_of(table: Table, form: str) -> Iterator[Row | BadRow]:
    """The rows of one table, each image's name completed to that of its file.

    Raises:
      UserError: there is none, or the table cannot be read to its end.
    """
    rows = FORMATS[form].read(table)
    folder = _folder_in_name(table, form)
    first = list(itertools.islice(rows, FIRST_ROWS if folder else 1))
    if not first:
        raise no_rows(table, form)
    return completed(itertools.chain(first, rows), table.images, _photo_folder(first, table.images, folder))


def photo_folder(table: Table, form: str) -> str:
    """The folder under --images that the photos of a table lie in, as its first rows tell; "" for --images itself."""
    folder = _folder_in_name(table, form)
    return folder and _photo_folder(itertools.islice(FORMATS[form].read(table), FIRST_ROWS), table.images, folder)


def _photo_folder(first: Iterable[Row | BadRow], images: str, folder: str) -> str:
    return folder_of((row.image for row in first if isinstance(row, Row)), images, folder)


def _folder_in_name(table: Table, form: str) -> str:
    """COCO's photos lie in train2017/ and val2017/, which only the tables' own names say."""
    match = _SPLIT_IN_NAME.search(os.path.basename(table.path))
    return match[0] if match and form != "tfds" and FileNames(table.images).exists(match[0]) else ""


def completed(rows: Iterable[Row | BadRow], images: str, folder: str) -> Iterator[Row | BadRow]:
    """Rows whose images have the names of their files, in `folder` of --images where that is not ""."""
    files = FileNames(images, folder)
    for row in rows:
        if isinstance(row, Row) and row.extent is None and (name := files.complete(row.image)) != row.image:
            row = dataclasses.replace(row, image=name)
        yield row


def no_rows(table: Table, form: str) -> UserError:
    """What to say of a table without a row."""
    return UserError(f"--captions: {table.path} has no captions (read as {form}); "
                     "expected one image name and caption a row")
