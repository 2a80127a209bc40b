"""Records made from records: the photos stored in them through another backbone, everything else as it is.

    make_records --records=data/mine --backbone_weights=runs/pixels --records_dir=data/mine_trained

Splits, order, words and tags are copied, so a run on either folder means the same by its numbers. No photo is checked
or looked for again: the ones in the shards are those that were checked.
"""

import os
from collections.abc import Mapping
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from records.backbones.weights import TRAINED_FILE
from records.format import layout
from records.format import manifest as manifests
from records.format.manifest import BackboneInfo, FileInfo, Manifest, SplitInfo
from records.format.tfds_metadata import dataset_info_json, features_json
from records.util.atomic_files import write_atomic
from records.util.counted import counted
from records.util.hashing import file_sha256
from records.util.progress import Progress
from records.writing.feature_rewriter import RewriteJob, rewrite_shard
from records.writing.receipts import Receipt, finished, totals
from records.writing.shard_writer import BackboneJob


def plan(config: MakeRecords) -> tuple[Manifest, BackboneJob]:
    """The records to start from, and the backbone: by default theirs, with other weights.

    Raises:
      UserError: no records, or records without photos; flags that ask for other captions or splits.
    """
    for name in ("images", "captions", "split_lists", "split_fractions", "shards", "store_size"):
        if getattr(config, name):
            raise UserError(f"--{name}={getattr(config, name)}: has no meaning with --records, which keeps photos, "
                            "captions, splits and shards as they are; leave it out")
    source = manifests.load(config.records)
    manifests.check_sizes(config.records, source)
    if not source.flags.get("store_images", True):
        raise UserError(f"--records={config.records}: was made with --store_images=false and holds no photos; make "
                        "records from the photos themselves")
    theirs = source.backbone is not None and config.backbone == MakeRecords.backbone
    name = source.backbone.name if theirs and source.backbone else config.backbone
    if name == "none":
        raise UserError("--backbone=none with --records leaves nothing to compute; name a backbone")
    weights = config.backbone_weights
    if weights and (epath.Path(weights) / TRAINED_FILE).exists():
        weights = str(epath.Path(weights) / TRAINED_FILE)
    size = config.image_size or (int(source.flags.get("image_size", 0)) if theirs else 0)
    return source, BackboneJob(name, weights, config.backbone_precision, config.feature_views, size)


def settings_of(config: MakeRecords, source: Manifest, job: BackboneJob, info: BackboneInfo) -> dict[str, Any]:
    """Everything that shapes the bytes: the settings of the records at hand with what is new."""
    return {**source.flags, "records": file_sha256(epath.Path(config.records) / layout.MANIFEST),
            "store_images": config.store_images, "backbone": job.name, "backbone_weights_sha256": info.weights_sha256,
            "backbone_precision": job.precision, "feature_views": job.views,
            **({"image_size": job.image_size} if job.image_size else {})}


def write(config: MakeRecords, source: Manifest, job: BackboneJob, info: BackboneInfo, settings: dict[str, Any],
          created_with: Mapping[str, str], records_dir: str) -> None:
    """Writes shards, the files beside them and the manifest; shards that an earlier run finished are kept."""
    examples = sum(split.examples for split in source.splits.values())
    receipts: dict[str, list[Receipt]] = {}
    with Progress("writing shards", total=examples, unit="examples", warms_up=True) as progress:
        for name, split in source.splits.items():
            receipts[name] = []
            for shard in split.shards:
                rewrite = RewriteJob(str(epath.Path(config.records) / shard.file), shard.sha256, records_dir,
                                     shard.file, shard.captions, shard.tokens, config.store_images, job)
                receipt = finished(rewrite)
                if receipt:
                    progress.add(receipt.shard.examples)
                receipts[name].append(receipt or rewrite_shard(rewrite, split.max_tokens, progress.add))
    splits = {name: SplitInfo(*totals(done), source.splits[name].max_tokens,
                              tuple(receipt.shard for receipt in done)) for name, done in receipts.items()}
    folder, has_tags = epath.Path(records_dir), layout.TAGS in source.files
    for name in sorted(set(source.files) - {layout.FEATURES, layout.DATASET_INFO}):
        write_atomic(folder / name, (epath.Path(config.records) / name).read_bytes())
    write_atomic(folder / layout.FEATURES, features_json(info.feature_size, config.store_images, has_tags))
    write_atomic(folder / layout.DATASET_INFO, dataset_info_json(source.name, splits))
    files = {name: FileInfo((folder / name).stat().length, file_sha256(folder / name)) for name in sorted(source.files)}
    manifests.save(records_dir, Manifest(
        source.name, source.target, source.seed, dict(created_with), settings, info, source.vocabulary_size,
        source.min_count, source.max_words, source.max_caption_words, splits, files, source.duplicates_merged,
        source.rejected))
    for name, split in splits.items():
        print(f"{name}: {counted(split.examples, 'example')} with new features, {counted(len(split.shards), 'shard')}, "
              f"{sum(shard.bytes for shard in split.shards) / 1e6:,.1f} MB")
    print(f"wrote {os.fspath(records_dir)}")


def check_apart(config: MakeRecords) -> None:
    """Raises UserError where the new records would be written over those that they are made from."""
    if "://" not in config.records and os.path.realpath(config.records) == os.path.realpath(config.records_dir):
        raise UserError(f"--records_dir={config.records_dir}: is the folder of --records; give another one")

