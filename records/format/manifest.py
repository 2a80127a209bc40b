"""manifest.json: what is in a records folder, to the byte, and the cheap checks made before anything is read.

    manifest = load(records_dir)            # UserError when this is no finished records folder
    check_sizes(records_dir, manifest)      # UserError when a file is missing or has another size
    manifest.splits["train"].shards[0].file

The manifest is written last, so a folder that has one is complete. It carries a checksum of itself: an edit,
by hand or by a failing disk, is found when it is loaded.
"""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from etils import epath

from flags.errors import UserError
from records.format.layout import DATASET_INFO, MANIFEST, is_shard, staging_dir
from records.util import regular_files
from records.util.atomic_files import write_atomic

FORMAT = 1
_RUN_FILE = "config.json"  # what a run folder has and a records folder has not

_Type = TypeVar("_Type")
_STATS_AT_ONCE = 32  # asked one by one, the answers of an object store about thousands of files take minutes


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """One TFRecord file.

    Attributes:
      file: its name inside the records folder.
      bytes: its size.
      sha256: hash of the whole file, in hex.
      examples: records in it; one image each.
      captions: captions of those images.
      tokens: length of all their token sequences together, <end> included.
    """

    file: str
    bytes: int
    sha256: str
    examples: int
    captions: int
    tokens: int


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """One split: the sums over its shards.

    Attributes:
      max_tokens: tokens of the longest caption, <end> included.
    """

    examples: int
    captions: int
    tokens: int
    max_tokens: int
    shards: tuple[ShardInfo, ...]


@dataclasses.dataclass(frozen=True)
class BackboneInfo:
    """The network whose pooled output is each example's `feature`.

    Attributes:
      name: its name in records.backbones.registry.
      weights: the --backbone_weights value as it was given.
      weights_sha256: hash of the weights' values, in hex.
      feature_size: F, the length of one feature.
      image_size: side in pixels of the square that it sees.
      preprocessing: what is done to pixels before the first layer, in words.
      precision: arithmetic of its layers, float32 or bfloat16.
    """

    name: str
    weights: str
    weights_sha256: str
    feature_size: int
    image_size: int
    preprocessing: str
    precision: str


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """Any other file of the folder, such as vocabulary.txt."""

    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Rejected:
    """What rejected.jsonl holds: the number of its rows, and how many of each kind."""

    total: int
    by_reason: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A records folder.

    Attributes:
      created_with: versions of the programs that wrote the folder.
      flags: every flag that shapes the bytes, as it was in effect.
      backbone: None where examples carry no feature.
      vocabulary_size: lines of vocabulary.txt, <pad>, <end> and <unk> included.
      min_count, max_words: what cut the vocabulary (max_words 0: nothing).
      max_caption_words: captions longer than this were rejected.
      files: every other file, by name.
      duplicates_merged: images left out because another name has the same pixels.
    """

    name: str
    target: str
    seed: int
    created_with: dict[str, str]
    flags: dict[str, Any]
    backbone: BackboneInfo | None
    vocabulary_size: int
    min_count: int
    max_words: int
    max_caption_words: int
    splits: dict[str, SplitInfo]
    files: dict[str, FileInfo]
    duplicates_merged: int
    rejected: Rejected

    def to_json(self) -> str:
        """The text of manifest.json: equal manifests give equal bytes."""
        body = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps({**body, "sha256": _checksum(body)}, indent=1, ensure_ascii=False) + "\n"


def _checksum(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(annotation: Any, value: Any, where: str) -> Any:
    """`value`, parsed JSON, as the annotated type; ValueError that says where it does not fit."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return value
    if isinstance(annotation, types.UnionType):
        return None if value is None else _read(arguments[0], value, where)
    if dataclasses.is_dataclass(annotation):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is no JSON object")
        hints = typing.get_type_hints(annotation)
        if set(value) != set(hints):
            raise ValueError(f"{where} has the keys {sorted(value)}, expected {sorted(hints)}")
        return typing.cast(Any, annotation)(**{k: _read(t, value[k], f"{where}.{k}") for k, t in hints.items()})
    if not isinstance(value, {tuple: list}.get(origin, origin or annotation)) or isinstance(value, bool):
        raise ValueError(f"{where} is {value!r}, expected {getattr(annotation, '__name__', annotation)}")
    if origin is dict:
        return {k: _read(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if origin is tuple:
        return tuple(_read(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    return value


def from_json(text: str | bytes) -> Manifest:
    """Parses what `Manifest.to_json` wrote.

    Raises:
      ValueError: it is no manifest, was edited, or is of another format; the message says which.
    """
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("it is no JSON object")
    if body.get("format") != FORMAT:
        raise ValueError(f"its format is {body.get('format')!r}, this program reads format {FORMAT}")
    found = body.pop("sha256", None)
    if found != _checksum(body):
        raise ValueError(f"its checksum is {_checksum(body)}, it says {found}: it was changed after make_records")
    del body["format"]
    return _read(Manifest, body, "manifest")


def load(records_dir: epath.PathLike) -> Manifest:
    """Reads records_dir/manifest.json.

    Raises:
      UserError: no such folder, no manifest in it, an unfinished make_records, a damaged manifest, or a run folder.
    """
    folder = epath.Path(records_dir)
    path = folder / MANIFEST
    try:
        text = regular_files.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists():
            raise UserError(f"--records_dir={records_dir}: no such folder; --mode=make_records makes one") from None
        if staging_dir(folder).exists():
            raise UserError(f"--records_dir={records_dir}: make_records did not finish here; run the same "
                            "make_records command again, it continues") from None
        raise UserError(f"--records_dir={records_dir}: has no {MANIFEST}, so it is no folder that make_records "
                        "finished; give such a folder, or run --mode=make_records") from None
    if (folder / _RUN_FILE).exists() and not (folder / DATASET_INFO).exists():
        raise UserError(f"--records_dir={records_dir}: is a folder that train wrote, which has a copy of the manifest "
                        "but no records; give the folder that make_records wrote")
    try:
        return from_json(text)
    except ValueError as error:
        raise UserError(f"{path}: is damaged: {error}; restore it from a copy, or run make_records again "
                        "with --overwrite") from error


def save(records_dir: epath.PathLike, manifest: Manifest) -> None:
    """Writes records_dir/manifest.json, whole or not at all."""
    write_atomic(epath.Path(records_dir) / MANIFEST, manifest.to_json())


def expected_sizes(manifest: Manifest) -> dict[str, int]:
    """Size in bytes of every file that the manifest names, by file name."""
    sizes = {name: info.bytes for name, info in manifest.files.items()}
    for split in manifest.splits.values():
        sizes.update({shard.file: shard.bytes for shard in split.shards})
    return sizes


def check_sizes(records_dir: epath.PathLike, manifest: Manifest) -> None:
    """Checks, without reading any of them, that every file is there with its size and that no shard is extra.

    `--mode=verify_records` reads every byte too.

    Raises:
      UserError: the first file that is wrong.
      OSError: one is a pipe, a device or a socket, or cannot be looked at.
    """
    folder = epath.Path(records_dir)
    sizes = expected_sizes(manifest)

    def size_of(name: str) -> int | None:
        regular_files.check(folder / name)
        try:
            return (folder / name).stat().length
        except FileNotFoundError:
            return None

    with ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
        all_found = list(pool.map(size_of, sizes))
    for (name, size), found in zip(sizes.items(), all_found, strict=True):
        if found is None:
            raise UserError(f"{folder / name}: is missing, {MANIFEST} lists it with {size:,} bytes; restore it from a "
                            "copy, or run make_records again with --overwrite")
        if found != size:
            raise UserError(f"{folder / name}: has {found:,} bytes, {MANIFEST} says {size:,}; restore it from a copy, "
                            "or run make_records again with --overwrite")
    for path in sorted(folder.iterdir()):
        if is_shard(path.name) and path.name not in sizes:
            raise UserError(f"{path}: is a shard that {MANIFEST} does not list; move it out of the folder")
