"""Parquet files: `parquet:data/train-*.parquet`, with the photos inside as Hugging Face stores them, or paths to them.

Photos inside ({"bytes", "path"}, or bytes alone) are copied into one file, as nothing finds a single one again in
Parquet's pages; a column of paths names photos under --images. Captions are a column of text, of lists, or of objects
(records.sources.objects); numbers of Hugging Face's ClassLabel become their names. pyarrow reads a few rows at a time.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns, dialogues
from records.sources.archives import tables_of_files
from records.sources.base import BadField, BadRow, Row, printable
from records.sources.caption_rows import caption_rows
from records.sources.objects import rows_of
from records.sources.spool import Pack, PartNames
from records.sources.table import Table
from records.util.progress import Progress

PREFIX = "parquet:"
_OF_WEBDATASETS = ("txt", "json", "cls")  # as Hugging Face calls the members of tars
_LIKELY = re.compile(r"image|img|photo|picture|jpe?g|png|webp", re.IGNORECASE)
_ROWS = 64  # read at a time, photos included: so little that threads of pyarrow cost five times what they save


def matches(table: Table) -> bool:
    """--captions starts with parquet:"""
    return table.path.startswith(PREFIX)


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, file by file, in stored order.

    Raises:
      UserError: pyarrow is missing, there is no such file, it cannot be read or has no image and text, or its photos
        cannot be written.
    """
    _pyarrow()
    for file, part in tables_of_files(table, PREFIX):
        yield from read_file(file, part)


def read_file(file: Table, part: str) -> Iterator[Row | BadRow]:
    """Like `read`, for one file; `part` is the folder of its photos' names."""
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(file.path) as source, Pack(file.scratch, file.images, part) as pack:
            yield from _rows_of_file(source, PartNames(part), pack, file)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"--captions: {file.path} cannot be read, or its photos cannot be written to {file.scratch} "
                        f"({printable(str(error), 120)})") from error


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError("--captions=parquet: needs pyarrow, which is not installed: pip install 'pyarrow>=17', or this "
                        "package with its extra [parquet]") from None
    return pyarrow


def _rows_of_file(source: Any, names: PartNames, pack: Pack, table: Table) -> Iterator[Row | BadRow]:
    schema, name = source.schema_arrow, table.name
    image, used = _columns(schema.names, schema, table.path)
    class_names = _class_names(schema.metadata)
    index = 0
    with Progress(f"rows of {name}", source.metadata.num_rows, "rows") as progress:
        for batch in source.iter_batches(batch_size=_ROWS, columns=used, use_threads=False):
            for value in _values(batch):
                yield from _rows_of_value(value, image, class_names, f"{name}:{index}", f"{index:08d}", names, pack,
                                          table)
                index += 1
            progress.add(len(batch))


def _values(batch: Any) -> Iterator[dict[str, Any]]:
    """The rows of a batch, one dict each. A column at a time: pyarrow takes several times as long to give rows."""
    names, lists = batch.schema.names, []
    for column in batch.columns:
        kind = str(column.type)
        if kind.startswith("struct<") and "bytes: binary" in kind:
            fields = [field.name for field in column.type]
            parts = [part.to_pylist() for part in column.flatten()]
            lists.append([dict(zip(fields, row, strict=True)) for row in zip(*parts, strict=True)])
        else:
            lists.append(column.to_pylist())
    for row in zip(*lists, strict=True):
        yield dict(zip(names, row, strict=True))


def _columns(names: list[str], schema: Any, file: str) -> tuple[str, list[str]]:
    """The image's column, and all that are read: of photos one with bytes before one with paths."""
    texts = [names[i] for i in columns.find_captions(names)] or [
        name for name in (*dialogues.KEYS, *_OF_WEBDATASETS) if name in names][:1]
    named = [names[i] for i in columns.find_all(names, columns.IMAGE) if names[i] not in texts]
    inside = [name for name in names if _holds_bytes(schema.field(name).type)]
    likely = [name for name in inside if _LIKELY.search(name)] or inside
    images = [name for name in named if name in inside] or likely or named
    if not images or not texts:
        raise UserError(f"--captions: {file} has no column of {'captions or tags' if images else 'photos'}; "
                        f"expected one named {'caption' if images else 'image'} or the like, found "
                        f"{printable(', '.join(names))}")
    if images is likely and len(likely) > 1:
        raise UserError(f"--captions: {file} has several columns that may be photos: {printable(', '.join(likely))}; "
                        "rename the right one to image")
    splits = [names[i] for i in columns.find_all(names, columns.SPLIT)[:1]]
    return images[0], list(dict.fromkeys([images[0], *texts, *splits]))


def _holds_bytes(kind: Any) -> bool:
    text = str(kind)
    return "struct<" in text and "bytes: binary" in text or re.search(r"binary(?:_view)?\b", text) is not None


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names that Hugging Face gives the numbers of a column, or those in its lists, by column."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: names for name, feature in features.items() if (names := _names_in(feature)) is not None}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def _names_in(feature: Any) -> list[str] | None:
    if isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    names = feature.get("names") if isinstance(feature, dict) else None
    return names if isinstance(names, list) else None


def _named(value: Any, classes: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, classes) for item in value]
    return classes[value] if type(value) is int and 0 <= value < len(classes) else value


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _rows_of_value(value: dict[str, Any], image: str, class_names: dict[str, list[str]], where: str, number: str,
                   names: PartNames, pack: Pack, table: Table) -> Iterator[Row | BadRow]:
    photo, texts = value[image], {name: _text(text) for name, text in value.items() if name != image}
    for column, classes in class_names.items():
        if column in texts:
            texts[column] = _named(texts[column], classes)
    if isinstance(photo, list):
        if len(photo) > 1:
            yield BadRow(where, "", f"object names several images: {len(photo)}; a caption is of one")
            return
        photo = photo[0] if photo else None
    data, path = (photo.get("bytes"), photo.get("path")) if isinstance(photo, dict) else (photo, None)
    if isinstance(data, str):
        data, path = None, data
    try:
        if not data and not path:
            raise BadField("image has neither bytes nor a path")
        # Paths inside Hugging Face's files are those of the machine that made them, and need not differ.
        stem, suffix = os.path.splitext(os.path.basename(str(path or "")))
        name = names.name(f"{number}-{stem}{suffix}" if stem else number, data) if data else str(path)
    except BadField as error:
        yield BadRow(where, printable(path), str(error))
        return
    if "txt" in texts or "cls" in texts:
        texts = {{"txt": "caption", "cls": "label"}.get(key, key): text for key, text in texts.items()}
    extent = pack.add(name, data) if data else None
    if len(texts) == 1 and isinstance(next(iter(texts.values())), str):  # as rows_of would, in half the time
        yield from caption_rows(table, name, list(texts.items()), where, extent=extent)
    else:
        yield from rows_of({**texts, "image": name}, table, where, extent=extent)
