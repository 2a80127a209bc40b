"""Datasets of tensorflow-datasets: `tfds:coco_captions`, or `tfds:FOLDER` of a prepared dataset or a records folder.

Any dataset with an Image feature and a text feature will do: `caption`, `captions` as a list, or nested as in
coco_captions (`captions/text`). The encoded images are written, undecoded, to SPLIT/NAME under --images, so that
all that follows is the same as for a folder of photos. Reading resumes: an image that is there already with the
same bytes is left alone. TFDS's own splits become the rows' splits.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterator
from typing import Any

from etils import epath

from flags.errors import UserError
from records.sources import columns
from records.sources.base import BadField, BadRow, Row, make_row, printable, split_name
from records.sources.spool import Spool
from records.sources.table import Table
from records.util.hashing import file_sha256
from records.util.progress import Progress

PREFIX = "tfds:"
_KEYS = ("filename", "file_name", "image_name", "key", "image_id", "id")

_Path = tuple[str, ...]


def matches(table: Table) -> bool:
    """--captions starts with tfds:"""
    return table.path.startswith(PREFIX)


def read(table: Table) -> Iterator[Row | BadRow]:
    """One row per caption, split by split, in the dataset's stored order.

    Raises:
      UserError: there is no such dataset, it cannot be prepared, read or written out, or it has no image and text.
    """
    import tensorflow as tf

    name = table.path.removeprefix(PREFIX)
    builder = _builder(name)
    image, text, key = _features(builder.info.features, name)
    total = sum(info.num_examples for info in builder.info.splits.values())
    with Progress(f"photos of {table.path}", total, "photos") as progress:
        for split in builder.info.splits:
            spool = Spool(table.images, _folder(split))
            try:
                for index, example in enumerate(_examples(builder, split, image, text, key)):
                    where = f"{builder.info.name}[{split}]:{index}"
                    yield from _rows(example, image, text, key, spool, where, index)
                    progress.add(1)
            except tf.errors.OpError as error:
                message = error.message.partition("}} ")[2] or error.message  # without TensorFlow's node names
                raise UserError(f"--captions={table.path}: split {split} cannot be read after {progress.done:,} "
                                f"photos ({printable(message)}); prepare the dataset again") from error
            except OSError as error:
                raise UserError(f"--captions={table.path}: its photos cannot be written to {spool.folder} ({error}); "
                                "name another folder with --images") from error


_CONTENT = re.compile(r"dataset_info\.json|features\.json|.*\.labels\.txt|.*-\d+-of-\d+")


def content_sha256(captions: str) -> str | None:
    """Hash of what a prepared dataset's folder holds; None where there is no folder yet.

    It reads every byte; of a folder in an object store, only names, sizes and times of change.
    """
    name = captions.removeprefix(PREFIX)
    folder = epath.Path(name)
    try:
        if not folder.exists():
            import tensorflow_datasets as tfds

            folder = epath.Path(tfds.builder(name).data_dir)
        files = sorted(path for path in folder.iterdir() if _CONTENT.fullmatch(path.name)) if folder.is_dir() else []
        if not files:
            return None
        digest = hashlib.sha256()
        with Progress(f"comparing {captions}", len(files), "files") as progress:
            for path in files:
                stat = path.stat()
                content = (f"{stat.length} {stat.mtime}" if "://" in os.fspath(path) else file_sha256(path))
                digest.update(f"{path.name} {content}\n".encode())
                progress.add(1)
        return digest.hexdigest()
    except Exception:  # whoever reads the dataset says what is wrong with it
        return None


def _builder(name: str) -> Any:
    import tensorflow_datasets as tfds

    try:
        if epath.Path(name).exists():
            return tfds.builder_from_directory(name)
        builder = tfds.builder(name)
        builder.download_and_prepare()
        return builder
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(f"--captions=tfds:{name}: tensorflow-datasets knows no dataset of this name, and there is "
                        "no folder there; see https://www.tensorflow.org/datasets/catalog") from error
    except Exception as error:  # a dataset's own code may raise anything
        raise UserError(f"--captions=tfds:{name}: cannot be prepared ({type(error).__name__}: "
                        f"{printable(str(error))}); try `tfds build` or name a prepared folder") from error


def _leaves(feature: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """(path, feature) of each feature that holds values, through dicts and sequences."""
    import tensorflow_datasets as tfds

    if isinstance(feature, tfds.features.FeaturesDict):
        for name, inner in feature.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(feature, tfds.features.Sequence):
        yield from _leaves(feature.feature, path)
    else:
        yield path, feature


def _features(features: Any, name: str) -> tuple[_Path, _Path, _Path | None]:
    """Paths of the image, of its text, and of its name if it has one."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    leaves = list(_leaves(features))
    images = [path for path, feature in leaves if isinstance(feature, tfds.features.Image)]
    texts = [path for path, feature in leaves if feature.tf_dtype == tf.string and path not in images]
    keys = [path for path in texts if len(path) == 1 and _last(path) in _KEYS]
    ranked = sorted((rank, path) for path in texts if path not in keys and (rank := _rank(path)) is not None)
    if not images or not ranked:
        found = ", ".join("/".join(path) for path, _ in leaves)
        raise UserError(f"--captions=tfds:{name}: has no {'text' if images else 'image'} feature; expected an Image "
                        f"and a text feature named as {columns.CAPTION[0]} or {columns.CAPTION[1]}, found {found}")
    key = min(keys, key=lambda path: _KEYS.index(_last(path)), default=None)
    return min(images, key=lambda path: (len(path), path != ("image",))), ranked[0][1], key


def _last(path: _Path) -> str:
    return columns.normalised(path[-1].rpartition("/")[2])


def _rank(path: _Path) -> int | None:
    """How well the names on the path fit a caption; smaller is better."""
    names = [columns.normalised(part.rpartition("/")[2]) for part in path]
    return min((columns.CAPTION.index(name) for name in names if name in columns.CAPTION), default=None)


def _nested(path: _Path, value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return value


def _examples(builder: Any, split: str, image: _Path, text: _Path, key: _Path | None) -> Any:
    import tensorflow_datasets as tfds

    wanted: dict[str, Any] = {}
    for path in filter(None, (image, text, key)):
        wanted.update(_nested(path, True))
    return builder.as_dataset(
        split=split, shuffle_files=False,
        decoders=tfds.decode.PartialDecoding(wanted, decoders=_nested(image, tfds.decode.SkipDecoding())),
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False))  # stored order, in little memory


def _value(example: Any, path: _Path) -> list[bytes]:
    import tensorflow as tf

    for part in path:
        example = example[part]
    flat = example.flat_values if isinstance(example, tf.RaggedTensor) else example
    return list(tf.reshape(flat, [-1]).numpy())


def _rows(example: Any, image: _Path, text: _Path, key: _Path | None, spool: Spool, where: str,
          index: int) -> Iterator[Row | BadRow]:
    data = _value(example, image)[0]
    given = _value(example, key)[0].decode("utf-8", "surrogateescape") if key else f"{index:08d}"
    try:
        row_name = spool.store(given, data)
    except BadField as error:
        yield BadRow(where, printable(given), str(error))
        return
    captions = _value(example, text)
    if not captions:
        yield BadRow(where, row_name, "photo has no caption")
    for number, caption in enumerate(captions):
        place = where if len(captions) == 1 else f"{where} caption {number}"
        row = make_row(row_name, caption.decode("utf-8", "surrogateescape"), place)
        yield dataclasses.replace(row, split=spool.part) if isinstance(row, Row) else row


def _folder(split: str) -> str:
    try:
        return split_name(split)
    except BadField:
        return "split_" + columns.normalised(split)
