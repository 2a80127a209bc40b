"""Proves that a records folder is, to the byte, what make_records wrote; says where it is not.

Every file is read once and hashed. Only a file whose hash is wrong is read again, record by record, to say at
which offset it is damaged: TensorFlow itself reads a shard that was cut between two records without an error.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator

from etils import epath

from flags.errors import UserError
from flags.verify_records import VerifyRecords
from records.format import layout, tfrecord
from records.format import manifest as manifests
from records.format.manifest import Manifest
from records.format.tfds_metadata import dataset_info_json, features_json
from records.util import regular_files
from records.util.hashing import file_sha256
from records.util.process_pool import cpus, ordered_map
from records.util.progress import Progress

_WORTH_PROCESSES = 500e6  # bytes that one process reads in the time it takes to start more


@dataclasses.dataclass(frozen=True)
class _Expected:
    """One file as the manifest describes it; records is None for a file that is no shard."""

    file: str
    bytes: int
    sha256: str
    records: int | None


@dataclasses.dataclass(frozen=True)
class _Found:
    """The same file as it is; sha256 is "" when it is missing."""

    file: str
    bytes: int
    sha256: str
    problem: str


def run(config: VerifyRecords) -> None:
    """--mode=verify_records. Raises UserError when anything is wrong, after a line for each problem."""
    manifest = manifests.load(config.records_dir)
    sizes = manifests.expected_sizes(manifest)
    with Progress("verifying", total=sum(sizes.values()), unit="MB", scale=1e6) as progress:
        problems = list(_problems(config.records_dir, manifest, config.workers or cpus(), progress))
    for problem in problems:
        print(problem)
    if problems:
        raise UserError(f"--records_dir={config.records_dir}: {len(problems)} problem{'s' * (len(problems) > 1)}, "
                        f"the first: {problems[0]}; "
                        "restore the files from a copy, or run make_records again with --overwrite")
    examples = sum(split.examples for split in manifest.splits.values())
    print(f"{config.records_dir}: {len(sizes)} files, {sum(sizes.values()):,} bytes and {examples:,} examples are what "
          "make_records wrote")


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
    missing, wrong = [], []
    check = functools.partial(_check, records_dir=str(folder))
    processes = workers if workers > 1 and sum(item.bytes for item in expected) > _WORTH_PROCESSES else 0
    for item, found in zip(expected, ordered_map(check, expected, processes), strict=True):
        if progress:
            progress.add(item.bytes, found.file)
        if not found.sha256:
            missing.append(item)
        elif found.problem:
            wrong.append(found)
    extra = _extra(folder, expected)
    lost = {item.sha256 for item in missing}
    renamed = {sha256: name for name in extra if (sha256 := file_sha256(folder / name)) in lost} if missing else {}
    for item in missing:
        known = renamed.get(item.sha256)
        yield f"{folder / item.file}: is missing" + (f"; {known} is this file under another name" if known else "")
    for found in wrong:
        other = by_hash.get(found.sha256)
        yield f"{folder / found.file}: " + (f"holds the bytes of {other}" if other else found.problem)
    for name in extra:
        if layout.is_shard(name) and name not in renamed.values():
            yield f"{folder / name}: is a shard that {layout.MANIFEST} does not list"


def _expected(manifest: Manifest) -> list[_Expected]:
    files = [_Expected(name, info.bytes, info.sha256, None) for name, info in manifest.files.items()]
    return files + [_Expected(shard.file, shard.bytes, shard.sha256, shard.examples)
                    for split in manifest.splits.values() for shard in split.shards]


def _inconsistencies(manifest: Manifest) -> Iterator[str]:
    """What in the manifest contradicts itself: an edit whose author mended the checksum too."""
    for name, split in manifest.splits.items():
        for field in ("examples", "captions", "tokens"):
            total = sum(getattr(shard, field) for shard in split.shards)
            if total != getattr(split, field):
                yield f"{layout.MANIFEST}: split {name} has {getattr(split, field)} {field}, its shards have {total}"
    described = {layout.DATASET_INFO: dataset_info_json(manifest.name, manifest.splits),
                 layout.FEATURES: features_json(manifest.backbone.feature_size if manifest.backbone else None,
                                                bool(manifest.flags.get("store_images", True)),
                                                layout.TAGS in manifest.files)}
    for name, text in described.items():
        info = manifest.files.get(name)
        if info is None or info.sha256 != hashlib.sha256(text.encode()).hexdigest():
            yield f"{layout.MANIFEST}: does not agree with {name}, which make_records derives from it"


def _extra(folder: epath.Path, expected: list[_Expected]) -> list[str]:
    known = {item.file for item in expected} | {layout.MANIFEST}
    return sorted(path.name for path in folder.iterdir() if path.name not in known and not path.is_dir())


def _check(item: _Expected, records_dir: str) -> _Found:
    path = epath.Path(records_dir) / item.file
    try:
        size, sha256 = path.stat().length, file_sha256(path)
    except FileNotFoundError:
        return _Found(item.file, 0, "", "is missing")
    except OSError as error:
        return _Found(item.file, 0, "?", f"cannot be read: {error.strerror or error}")
    if (size, sha256) == (item.bytes, item.sha256):
        return _Found(item.file, size, sha256, "")
    return _Found(item.file, size, sha256, damage(path, item.bytes, item.records))


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
