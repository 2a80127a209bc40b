"""Several records folders as one: --records_dir=a,b.

    manifest = load("data/a,data/b")                       # of all; each split is that of a, then that of b
    paths("data/a,data/b", "train")                        # where the shards are that it names
    first("data/a,data/b")                                 # the folder whose vocabularies count for all

They must mean the same by a word, a tag and a feature: made with one --target, the same vocabularies (make_records
--vocabulary) and one backbone. Shards of the whole are numbered anew, so that the manifest is one like any other.
"""

import dataclasses
import itertools
import os
from collections import Counter

from etils import epath

from flags.errors import UserError
from records.format import backbone_identity, layout
from records.format import manifest as manifest_lib
from records.format.manifest import Manifest, Rejected, SplitInfo

_SAME_FILES = {layout.VOCABULARY: "vocabulary", layout.TAGS: "tag vocabulary", layout.TAG_FORMS: "tag vocabulary"}


def folders(records_dir: epath.PathLike) -> list[str]:
    """The folders that --records_dir names: one, or several separated by commas."""
    text = str(records_dir)
    return [text] if "," not in text or epath.Path(text).exists() else [
        os.path.expanduser(part.strip()) for part in text.split(",") if part.strip()]


def first(records_dir: epath.PathLike) -> str:
    """The first of the folders: the vocabularies of all are in each."""
    return folders(records_dir)[0]


def load(records_dir: epath.PathLike) -> Manifest:
    """The manifest of one folder, or of several as one.

    Raises:
      UserError: as `load_each` and `join`.
    """
    return join(load_each(records_dir))


def load_each(records_dir: epath.PathLike) -> dict[str, Manifest]:
    """The manifest of each folder.

    Raises:
      UserError: as records.format.manifest.load; a folder is named twice.
    """
    names = folders(records_dir)
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"--records_dir={records_dir}: {repeated[0]} is named twice; name it once")
    return {name: manifest_lib.load(name) for name in names}


def join(of_folders: dict[str, Manifest]) -> Manifest:
    """One manifest of those of all folders.

    Raises:
      UserError: a folder does not fit the first.
    """
    names, manifests = list(of_folders), list(of_folders.values())
    if len(names) == 1:
        return manifests[0]
    whole = manifests[0]
    for name, manifest in zip(names[1:], manifests[1:], strict=True):
        _check_fits(manifest, whole, name, names[0])
    by_split = {split: [manifest.splits[split] for manifest in manifests if split in manifest.splits]
                for split in dict.fromkeys(itertools.chain.from_iterable(manifest.splits for manifest in manifests))}
    reasons = Counter[str]()
    for manifest in manifests:
        reasons.update(manifest.rejected.by_reason)
    return dataclasses.replace(
        whole, splits={split: _joined(whole.name, split, parts) for split, parts in by_split.items()},
        duplicates_merged=sum(manifest.duplicates_merged for manifest in manifests),
        rejected=Rejected(reasons.total(), dict(sorted(reasons.items()))))


def _joined(name: str, split: str, parts: list[SplitInfo]) -> SplitInfo:
    shards = [shard for part in parts for shard in part.shards]
    return SplitInfo(
        sum(part.examples for part in parts), sum(part.captions for part in parts), sum(part.tokens for part in parts),
        max(part.max_tokens for part in parts),
        tuple(dataclasses.replace(shard, file=layout.shard_file(name, split, number, len(shards)))
              for number, shard in enumerate(shards)))


def paths(records_dir: epath.PathLike, split: str) -> list[str]:
    """Where the shards of a split are, in the order of its manifest."""
    return [str(epath.Path(folder) / shard.file) for folder in folders(records_dir)
            if (info := manifest_lib.load(folder).splits.get(split)) for shard in info.shards]


def _check_fits(manifest: Manifest, expected: Manifest, folder: str, other: str) -> None:
    where, remedy = f"--records_dir: {folder} and {other} do not fit together", f"make {folder} anew"
    if manifest.target != expected.target:
        raise UserError(f"{where}: their targets are {manifest.target} and {expected.target}; {remedy} with "
                        f"--target={expected.target}")
    for file, words in _SAME_FILES.items():
        hashes = [body.files[file].sha256 if file in body.files else None for body in (manifest, expected)]
        if hashes[0] != hashes[1]:
            raise UserError(f"{where}: each has a {words} of its own; {remedy} with --vocabulary={other}")
    if manifest.backbone is None and expected.backbone is None:
        return
    backbone_identity.check_same(manifest.backbone, expected.backbone, f"--records_dir: {folder}", other, remedy)
