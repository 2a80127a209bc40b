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
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, cast

from etils import epath

from flags.errors import UserError
from records.format.layout import DATASET_INFO, MANIFEST, is_shard, shard_file, staging_dir
from records.util import regular_files, typed_json
from records.util.atomic_files import write_atomic
from records.util.typed_json import Check, Count, between

FORMAT = 1
_RUN_FILE = "config.json"  # what a run folder has and a records folder has not

_STATS_AT_ONCE = 32  # asked one by one, the answers of an object store about thousands of files take minutes

# Nothing that follows a manifest may lead out of its folder, or ask for more memory than any network could have.
_FileName = Annotated[str, Check(lambda name: re.fullmatch(r"[^/\\\0]+", name) is not None and name.isprintable()
                                 and not name.startswith("."), "the name of a file in the folder")]
_Name = Annotated[str, Check(lambda name: re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None,
                             "letters, digits and underscores, starting with a letter")]
_Line = Annotated[str, Check(lambda text: 0 < len(text) < 4096 and text.isprintable(), "a line of text")]
_Sha256 = Annotated[str, Check(lambda text: re.fullmatch(r"[0-9a-f]{64}", text) is not None, "64 hex digits")]
_Words = Annotated[int, between(0, 2**31 - 1)]  # word ids are int32


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

    file: _FileName
    bytes: Count
    sha256: _Sha256
    examples: Count
    captions: Count
    tokens: Count


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """One split: the sums over its shards.

    Attributes:
      max_tokens: tokens of the longest caption, <end> included.
    """

    examples: Count
    captions: Count
    tokens: Count
    max_tokens: _Words
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

    name: _Line
    weights: str
    weights_sha256: _Sha256
    feature_size: Annotated[int, between(1, 2**17)]
    image_size: Annotated[int, between(1, 2**14)]
    preprocessing: _Line
    precision: _Line


@dataclasses.dataclass(frozen=True)
class FileInfo:
    """Any other file of the folder, such as vocabulary.txt."""

    bytes: Count
    sha256: _Sha256


@dataclasses.dataclass(frozen=True)
class Rejected:
    """What rejected.jsonl holds: the number of its rows, and how many of each kind."""

    total: Count
    by_reason: dict[str, Count]


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

    name: _Name
    target: Annotated[str, Check(lambda target: target in ("captions", "tags"), "captions or tags")]
    seed: Count
    created_with: dict[_Line, _Line]
    flags: dict[str, Any]
    backbone: BackboneInfo | None
    vocabulary_size: Annotated[int, between(3, 2**31 - 1)]
    min_count: Annotated[int, between(1, 2**63 - 1)]
    max_words: Count
    max_caption_words: Annotated[int, between(1, 2**63 - 1)]
    splits: dict[_Name, SplitInfo]
    files: dict[_FileName, FileInfo]
    duplicates_merged: Count
    rejected: Rejected

    def to_json(self) -> str:
        """The text of manifest.json: equal manifests give equal bytes."""
        body = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps({**body, "sha256": _checksum(body)}, indent=1, ensure_ascii=False) + "\n"


def _checksum(body: Mapping[str, Any]) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode(errors="surrogateescape")).hexdigest()


class Invalid(ValueError):
    """A text is no manifest.

    Attributes:
      faults: a line for each thing that is wrong with it.
    """

    def __init__(self, faults: list[str]):
        super().__init__(faults[0] + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""))
        self.faults = faults


def from_json(text: str | bytes) -> Manifest:
    """Parses what `Manifest.to_json` wrote.

    Raises:
      Invalid: it is no manifest, was edited, is of another format, or holds what no make_records writes.
    """
    try:
        body = typed_json.loads(text)
        if not isinstance(body, dict):
            raise ValueError("it is no JSON object")
        if body.get("format") != FORMAT:
            raise ValueError(f"its format is {body.get('format')!r}, this program reads format {FORMAT}")
        found = body.pop("sha256", None)
        if found != _checksum(body):
            raise ValueError(f"its checksum is {_checksum(body)}, it says {found}: it was changed after make_records")
    except ValueError as error:
        raise Invalid([str(error)]) from error
    del body["format"]
    manifest, faults = typed_json.read(Manifest, body, "manifest")
    faults = faults or list(_contradictions(manifest))
    if faults:
        raise Invalid(faults)
    return cast(Manifest, manifest)


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """What in a manifest does not agree with the rest of it: an edit whose author mended the checksum too."""
    if not manifest.splits:
        yield "it lists no split"
    for name, split in manifest.splits.items():
        for field in ("examples", "captions", "tokens"):
            total = sum(getattr(shard, field) for shard in split.shards)
            if total != getattr(split, field):
                yield f"split {name} has {getattr(split, field)} {field}, its shards have {total}"
        if not split.captions <= split.tokens <= split.captions * split.max_tokens:
            yield (f"split {name} has {split.captions} captions, the longest of {split.max_tokens} tokens, and "
                   f"{split.tokens} tokens")
        for number, shard in enumerate(split.shards):
            expected = shard_file(manifest.name, name, number, len(split.shards))
            if shard.file != expected:
                yield f"shard {number} of split {name} is {shard.file}, expected {expected}"
    for name in manifest.files:
        if name == MANIFEST or is_shard(name):
            yield f"it lists {name} among the files that are no shards"
    if manifest.rejected.total != sum(manifest.rejected.by_reason.values()):
        yield (f"it has {manifest.rejected.total} rejected rows, by reason they are "
               f"{sum(manifest.rejected.by_reason.values())}")


class Damaged(UserError):
    """The manifest of a folder is; `faults` has a line for each thing that is wrong."""

    def __init__(self, message: str, faults: list[str]):
        super().__init__(message)
        self.faults = faults


def load(records_dir: epath.PathLike) -> Manifest:
    """Reads records_dir/manifest.json.

    Raises:
      UserError: no such folder, no manifest in it, an unfinished make_records, or a run folder.
      Damaged: the manifest is.
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
    except Invalid as error:
        raise Damaged(f"{path}: is damaged: {error}; restore it from a copy, or run make_records again "
                      "with --overwrite", error.faults) from error


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
