"""Proves that a records folder is, to the byte, what make_records wrote; says where it is not.

Every file is read once, hashed, and what it holds counted: hashes prove that the files are those of the manifest,
counts that the manifest tells the truth about them. Only a file whose hash is wrong is read again, record by record, to
say at which offset it is damaged: TensorFlow itself reads a shard that was cut between two records without an error.
"""

import array
import dataclasses
import functools
import hashlib
import itertools
import sys
from collections.abc import Iterator, Mapping, Set

from etils import epath

from flags.errors import UserError
from flags.verify_records import VerifyRecords
from records.format import layout, tfrecord
from records.format import manifest as manifests
from records.format.manifest import Manifest, ShardInfo
from records.format.shard_counts import ShardCounts, count, key_hash, keys_of
from records.format.tfds_metadata import dataset_info_json, features_json
from records.util import regular_files
from records.util.counted import counted
from records.util.hashing import file_sha256
from records.util.printable import printable
from records.util.process_pool import cpus, ordered_map
from records.util.progress import Progress

_WORTH_PROCESSES = 500e6  # bytes that one process reads in the time it takes to start more


@dataclasses.dataclass(frozen=True)
class _Expected:
    """One file as the manifest describes it; shard is None for a file that is none."""

    file: str
    bytes: int
    sha256: str
    shard: ShardInfo | None


@dataclasses.dataclass(frozen=True)
class _Found:
    """The same file as it is; sha256 is "" when it is missing, counts are those of a shard that is whole."""

    file: str
    bytes: int
    sha256: str
    problem: str
    counts: ShardCounts | None = None


def run(config: VerifyRecords) -> None:
    """--mode=verify_records. Raises UserError when anything is wrong, after a line for each problem."""
    try:
        manifest = manifests.load(config.records_dir)
    except manifests.Damaged as error:
        for fault in error.faults:
            print(printable(f"{layout.MANIFEST}: {fault}"))
        raise
    sizes = manifests.expected_sizes(manifest)
    with Progress("verifying", total=sum(sizes.values()), unit="MB", scale=1e6) as progress:
        problems = list(_problems(config.records_dir, manifest, config.workers or cpus(), progress))
    for problem in problems:
        print(printable(problem))
    if problems:
        raise UserError(f"--records_dir={config.records_dir}: {counted(len(problems), 'problem')}, "
                        f"the first: {problems[0]}; "
                        "restore the files from a copy, or run make_records again with --overwrite")
    examples = sum(split.examples for split in manifest.splits.values())
    folder = epath.Path(config.records_dir)
    size = sum(sizes.values()) + (folder / layout.MANIFEST).stat().length
    others = [printable(name) for name in _extra(folder, _expected(manifest))]
    print(f"{printable(config.records_dir)}: {len(sizes) + 1} files, {size:,} bytes and {counted(examples, 'example')} "
          "are what make_records wrote" + (f"; not looked at: {', '.join(others)}" if others else ""))


def problems(records_dir: epath.PathLike, manifest: Manifest | None = None) -> list[str]:
    """Everything that is wrong with a records folder, one line each; [] when nothing is.

    Raises:
      UserError: its manifest is missing or damaged.
    """
    return list(_problems(records_dir, manifest or manifests.load(records_dir), 1, None))


def _problems(records_dir: epath.PathLike, manifest: Manifest, workers: int,
              progress: Progress | None) -> Iterator[str]:
    folder = epath.Path(records_dir)
    yield from _inconsistencies(manifest)
    expected = _expected(manifest)
    by_hash = {item.sha256: item.file for item in expected if item.bytes}
    missing, wrong, counted = [], [], dict[str, ShardCounts]()
    check = functools.partial(_check, records_dir=str(folder))
    processes = workers if workers > 1 and sum(item.bytes for item in expected) > _WORTH_PROCESSES else 0
    for item, found in zip(expected, ordered_map(check, expected, processes), strict=True):
        if progress:
            progress.add(item.bytes, found.file)
        if not found.sha256:
            missing.append(item)
        elif found.problem:
            wrong.append(found)
        elif found.counts:
            counted[found.file] = found.counts
    extra = _extra(folder, expected)
    lost = {item.sha256 for item in missing}
    renamed = {sha256: name for name in extra if (sha256 := _hash_of(folder / name)) in lost} if missing else {}
    for item in missing:
        known = renamed.get(item.sha256)
        yield f"{folder / item.file}: is missing" + (f"; {known} is this file under another name" if known else "")
    for found in wrong:
        other = by_hash.get(found.sha256)
        swapped = other and other != found.file
        yield f"{folder / found.file}: " + (f"holds the bytes of {other}" if swapped else found.problem)
    for name in extra:
        if layout.is_shard(name) and name not in renamed.values():
            yield f"{folder / name}: is a shard that {layout.MANIFEST} does not list"
    if not missing and not wrong:
        yield from _miscounts(folder, manifest, counted)


def _expected(manifest: Manifest) -> list[_Expected]:
    files = [_Expected(name, info.bytes, info.sha256, None) for name, info in manifest.files.items()]
    return files + [_Expected(shard.file, shard.bytes, shard.sha256, shard)
                    for split in manifest.splits.values() for shard in split.shards]


def _inconsistencies(manifest: Manifest) -> Iterator[str]:
    """What in the manifest contradicts itself: an edit whose author mended the checksum too."""
    described = {layout.DATASET_INFO: dataset_info_json(manifest.name, manifest.splits),
                 layout.FEATURES: features_json(manifest.backbone.feature_size if manifest.backbone else None,
                                                bool(manifest.flags.get("store_images", True)),
                                                layout.TAGS in manifest.files)}
    for name, text in described.items():
        info = manifest.files.get(name)
        if info is None or info.sha256 != hashlib.sha256(text.encode()).hexdigest():
            yield f"{layout.MANIFEST}: does not agree with {name}, which make_records derives from it"


def _miscounts(folder: epath.Path, manifest: Manifest, counted: Mapping[str, ShardCounts]) -> Iterator[str]:
    """What the manifest says of whole files that they do not hold."""
    for name, split in manifest.splits.items():
        longest = max((counted[shard.file].max_tokens for shard in split.shards), default=0)
        if longest != split.max_tokens:
            yield (f"{layout.MANIFEST}: the longest caption of split {name} has {split.max_tokens} tokens, the shards "
                   f"hold one of {longest}")
    hashes = array.array("Q", b"".join(counts.keys for counts in counted.values()))
    in_order = sorted(hashes)
    twice = {one for one, other in itertools.pairwise(in_order) if one == other}
    if twice:
        yield from _named_twice(folder, counted, twice)
    for file, said, number in ((layout.VOCABULARY, "words", manifest.vocabulary_size),
                               (layout.REJECTED, "rejected rows", manifest.rejected.total),
                               (layout.DUPLICATES, "merged duplicates", manifest.duplicates_merged)):
        if file in manifest.files:
            lines = regular_files.read_bytes(folder / file).count(b"\n")
            if lines != number:
                yield f"{layout.MANIFEST}: has {number} {said}, {file} has {lines}"


def _named_twice(folder: epath.Path, counted: Mapping[str, ShardCounts], twice: Set[int]) -> Iterator[str]:
    """The keys whose hashes come more than once; each belongs into one shard, once."""
    shards: dict[bytes, list[str]] = {}
    for file, counts in counted.items():
        if not twice.isdisjoint(array.array("Q", counts.keys)):
            with regular_files.open_binary(folder / file) as stream:
                for key in keys_of(stream):
                    if int.from_bytes(key_hash(key), sys.byteorder) in twice:
                        shards.setdefault(key, []).append(file)
    for key, files in shards.items():
        if len(files) > 1:
            yield f"{folder / files[1]}: photo {key.decode(errors='replace')!r} is in {files[0]} already"


def _extra(folder: epath.Path, expected: list[_Expected]) -> list[str]:
    known = {item.file for item in expected} | {layout.MANIFEST}
    return sorted(path.name for path in folder.iterdir() if path.name not in known and not path.is_dir())


def _hash_of(path: epath.Path) -> str:
    """The hash of a file that happens to be in the folder; "" where it cannot be read."""
    try:
        return file_sha256(path)
    except OSError:
        return ""


def _check(item: _Expected, records_dir: str) -> _Found:
    path = epath.Path(records_dir) / item.file
    counts = None
    try:
        if item.shard:
            with regular_files.open_binary(path) as file:
                counts = count(file)
            size, sha256 = counts.size, counts.sha256
        else:
            size, sha256 = path.stat().length, file_sha256(path)
    except FileNotFoundError:
        return _Found(item.file, 0, "", "is missing")
    except OSError as error:
        return _Found(item.file, 0, "?", f"cannot be read: {error.strerror or error}")
    if (size, sha256) == (item.bytes, item.sha256):
        return _Found(item.file, size, sha256, _miscount(item.shard, counts) if item.shard and counts else "", counts)
    return _Found(item.file, size, sha256, damage(path, item.bytes, item.shard.examples if item.shard else None))


def _miscount(shard: ShardInfo, counts: ShardCounts) -> str:
    """How a shard that has its hash differs from what the manifest says of it; "" where it does not."""
    if counts.problem:
        return f"has the hash that {layout.MANIFEST} gives, but {counts.problem}"
    for name in ("examples", "captions", "tokens"):
        found, expected = getattr(counts, name), getattr(shard, name)
        if found != expected:
            return f"holds {found} {name}, {layout.MANIFEST} says {expected}"
    return ""


def damage(file_path: epath.PathLike, size: int, records: int | None) -> str:
    """Where a file whose hash is wrong is damaged, in words.

    Args:
      size: the bytes it should have.
      records: the TFRecords it should hold; None for any other kind of file.
    """
    path = epath.Path(file_path)
    found = path.stat().length
    sizes = "" if found == size else f"has {found:,} bytes instead of {size:,}; "
    if records is None:
        return f"{sizes}somewhere from byte 0 to {found} it is not what make_records wrote"
    count = end = 0
    try:
        with regular_files.open_binary(path) as file:
            for offset, data in tfrecord.walk(file):
                count += 1
                end = offset + tfrecord.HEADER_BYTES + len(data) + tfrecord.FOOTER_BYTES
    except tfrecord.Damage as error:
        return f"{sizes}{error}"
    if count != records:
        return f"{sizes}{count} whole records instead of {records}, the last ends at byte {end}"
    return f"{sizes}all {count} records from byte 0 to {end} are whole, but they are not those that were written"
