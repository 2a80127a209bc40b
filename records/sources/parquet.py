"""Parquet files: `parquet:data/train-*.parquet`, with the photos inside as Hugging Face stores them, or paths to them.

Photos inside ({"bytes", "path"}, or bytes alone) are written to FILE/NAME under --images; a column of paths names
photos that are there already. Captions are a column of text, of lists, or of objects (records.sources.objects);
numbers of Hugging Face's ClassLabel become their names. pyarrow reads a few rows at a time.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

from flags.errors import UserError
from records.sources import columns
from records.sources.archives import files_of, parts_of, split_of
from records.sources.base import BadField, BadRow, Row, printable
from records.sources.objects import rows_of
from records.sources.spool import Spool
from records.sources.table import Table
from records.util.progress import Progress

PREFIX = "parquet:"
_ROWS = 64  # read at a time, photos included


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
    paths = files_of(table.path if matches(table) else PREFIX + table.path)
    for file, part in zip(paths, parts_of(paths), strict=True):
        yield from read_file(file, part, table)


def read_file(file: str, part: str, table: Table) -> Iterator[Row | BadRow]:
    """Like `read`, for one file; its photos go to the folder `part` under --images."""
    pyarrow = _pyarrow()
    try:
        with pyarrow.parquet.ParquetFile(file) as source:
            yield from _rows_of_file(source, file, Spool(table.images, part), table)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"--captions: {file} cannot be read, or its photos cannot be written to {table.images} "
                        f"({printable(str(error), 120)})") from error


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise UserError("--captions=parquet: needs pyarrow, which is not installed: pip install 'pyarrow>=17', or this "
                        "package with its extra [parquet]") from None
    return pyarrow


def _rows_of_file(source: Any, file: str, spool: Spool, table: Table) -> Iterator[Row | BadRow]:
    schema, name = source.schema_arrow, os.path.basename(file)
    image, used = _columns(schema.names, schema, file)
    class_names = _class_names(schema.metadata)
    split, index = split_of(file), 0
    with Progress(f"rows of {name}", source.metadata.num_rows, "rows") as progress:
        for batch in source.iter_batches(batch_size=_ROWS, columns=used):
            for value in batch.to_pylist():
                yield from _rows_of_value(value, image, class_names, f"{name}:{index}", f"{index:08d}", spool, table,
                                          split)
                index += 1
            progress.add(len(batch))


def _columns(names: list[str], schema: Any, file: str) -> tuple[str, list[str]]:
    """The image's column, and all that are read: of photos one with bytes before one with paths."""
    texts = columns.find_captions(names)
    images = [names[i] for i in columns.find_all(names, columns.IMAGE) if i not in texts]
    inside = [name for name in names if _holds_bytes(schema.field(name).type)]
    image = next((name for name in images if name in inside), next(iter(inside), next(iter(images), None)))
    if image is None or not texts:
        missing = "image" if image is None else "caption"
        raise UserError(f"--captions: {file} has no column of {'photos' if image is None else 'captions or tags'}; "
                        f"expected one named {missing} or the like, found {printable(', '.join(names))}")
    splits = [names[i] for i in columns.find_all(names, columns.SPLIT)[:1]]
    return image, list(dict.fromkeys([image, *(names[i] for i in texts), *splits]))


def _holds_bytes(kind: Any) -> bool:
    text = str(kind)
    return text.endswith("binary") or text.startswith("struct<") and "bytes: binary" in text


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names that Hugging Face gives the numbers of a column, by column."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature["names"] for name, feature in features.items()
                if isinstance(feature, dict) and isinstance(feature.get("names"), list)}
    except (KeyError, TypeError, ValueError):
        return {}


def _rows_of_value(value: dict[str, Any], image: str, class_names: dict[str, list[str]], where: str, number: str,
                   spool: Spool, table: Table, split: str | None) -> Iterator[Row | BadRow]:
    photo, texts = value[image], {name: text for name, text in value.items() if name != image}
    for column, names in class_names.items():
        if isinstance(texts.get(column), int) and 0 <= texts[column] < len(names):
            texts[column] = names[texts[column]]
    data, path = (photo.get("bytes"), photo.get("path")) if isinstance(photo, dict) else (photo, None)
    if isinstance(data, str):
        data, path = None, data
    try:
        if not data and not path:
            raise BadField("image has neither bytes nor a path")
        # Paths inside Hugging Face's files are those of the machine that made them, and need not differ.
        stem, suffix = os.path.splitext(os.path.basename(str(path or "")))
        name = spool.store(f"{number}-{stem}{suffix}" if stem else number, data) if data else path
    except BadField as error:
        yield BadRow(where, printable(path), str(error))
        return
    yield from rows_of({**texts, "image": name}, table, where, split=split)
