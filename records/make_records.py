"""Photos and captions to a records folder: check everything, plan every shard, write the shards, then the manifest.

Pass 1 (records/ingest/plan.py) reads the caption table and every photo once, in parallel, into an ingest database on
disk. From that come splits, vocabulary and one plan per shard. Pass 2 writes each shard from its plan. Both can be
killed at any moment and started again; the manifest is written last. On a cluster (--runner=beam) pass 1 is
records/beam/plan.py, and gives the same bytes.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.modes import Status
from records.format import layout
from records.format import manifest as manifests
from records.format.held_out import OWN_SPLITS, way_to_hold_out_more
from records.format.manifest import BackboneInfo, FileInfo, Manifest, SplitInfo
from records.format.tfds_metadata import dataset_info_json, features_json
from records.ingest import fingerprint, first_photos, rejections, splits, staging
from records.ingest import plan as plan_lib
from records.ingest.plan import Plan
from records.ingest.splits import Splitter
from records.runners import local
from records.sources import check_exists, is_spooled, splits_in_names
from records.text import unknown_words
from records.text.vocabulary import END, UNK, Vocabulary
from records.util.absolute_paths import absolute
from records.util.atomic_files import write_atomic
from records.util.counted import counted
from records.util.hashing import file_sha256
from records.util.printable import printable
from records.util.process_pool import WorkerDied, Workers
from records.util.progress import Progress
from records.writing import shard_writer
from records.writing.receipts import Receipt, finished, totals
from records.writing.shard_writer import BackboneJob, ShardJob

_FEW_PHOTOS = 20  # of a split that others than train have


def run(config: MakeRecords) -> Status | None:
    """--mode=make_records. Raises UserError for input or flags that cannot be used."""
    if config.records:
        if run_from_records(config):
            return None
        print(f"{_absolute(config.records_dir)}: complete, made from the same records with the same backbone; nothing "
              "to do")
        return Status.NOTHING_TO_DO
    _check_flags(config)
    name = fingerprint.dataset_name(config)
    splitter = _splitter(config)
    settings = fingerprint.settings_of(config, name)
    records_dir = _absolute(config.records_dir)
    state = staging.StagingFolder(records_dir)
    remark = "" if config.overwrite else _compared_before_weights(config, records_dir, state, settings)
    finished = not config.overwrite and (epath.Path(config.records_dir) / layout.MANIFEST).exists()
    if config.backbone != "none" and not finished:  # without, photos are looked for at once
        first_photos.check(config, splitter)
    try:
        backbone, info = _backbone(config)
    except UserError as error:
        raise UserError(f"{error}{remark}") from error
    settings |= fingerprint.backbone_settings(config, info.weights_sha256 if info else None)
    try:
        with state.locked(), Workers() as workers:
            if _is_finished(config, records_dir, state, settings):
                print(f"{records_dir}: complete, made from the same captions with the same flags; nothing to do "
                      "(whether photos in --images changed is not looked at: --overwrite makes it anew)")
                return Status.NOTHING_TO_DO
            state.start(settings)
            images_dir = _images_dir(config, state)
            plan = plan_lib.read_plan(state) or _make_plan(
                config, settings, splitter, images_dir, records_dir, state, info, workers)
            jobs = {split: [ShardJob(records_dir, file, sha256, images_dir, config.store_images, backbone,
                                     config.follow_links, config.store_size)
                            for file, sha256 in files.items()] for split, files in plan.shards.items()}
            receipts = _write_shards(config, jobs, plan, workers)
            _finish(config, settings, records_dir, info, plan, receipts)
            state.remove()
    except (WorkerDied, MemoryError, OSError, sqlite3.Error) as error:
        raise _refused(config.records_dir, error) from error
    _summary(config, records_dir, plan, receipts)
    return None


def _absolute(records_dir: str) -> str:
    return os.path.abspath(records_dir) if "://" not in records_dir else records_dir


def _splitter(config: MakeRecords) -> Splitter:
    """How images are split. On a cluster workers look names up in split lists, which may be as long as the table."""
    lists = "" if config.runner == "beam" and not config.split_fractions else config.split_lists
    return Splitter.from_flags(lists, config.split_fractions, plan_lib.listed_images(config))


def _make_plan(config: MakeRecords, settings: Mapping[str, Any], splitter: Splitter, images_dir: str, records_dir: str,
               state: staging.StagingFolder, info: BackboneInfo | None, workers: Workers) -> Plan:
    """Pass 1, by the runner that was asked for."""
    if config.runner == "local":
        return plan_lib.make_plan(config, settings, splitter, images_dir, records_dir, state, info, workers)
    from records.beam.plan import make_plan  # imported only here, as is Apache Beam

    return make_plan(config, settings, splitter, images_dir, records_dir, state, info)


def run_from_records(config: MakeRecords) -> bool:
    """--records: new features for examples that are there already; False where these are there too."""
    from records.writing import recompute_features  # imported only here: it needs TensorFlow, other records may not

    recompute_features.check_apart(config)
    source, job = recompute_features.plan(config)
    info = shard_writer.load_extractor(job).backbone.info
    settings = recompute_features.settings_of(config, source, job, info)
    records_dir = _absolute(config.records_dir)
    state = staging.StagingFolder(records_dir)
    try:
        with state.locked():
            if _is_finished(config, records_dir, state, settings):
                return False
            state.start(settings)
            recompute_features.write(config, source, job, info, settings, _created_with(), records_dir)
            state.remove()
    except (MemoryError, OSError) as error:
        raise _refused(config.records_dir, error) from error
    return True


def _refused(records_dir: str, error: Exception) -> UserError:
    """What the machine would not do, in one line."""
    # SQLite calls a statement "interrupted" when it runs out of memory in the middle; nothing here interrupts one.
    no_memory = isinstance(error, MemoryError) or (
        getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM))
    if no_memory or isinstance(error, WorkerDied):
        return UserError(f"{'memory ran out' if no_memory else error}: pass fewer --workers, as each needs memory for "
                         "the largest photo; the same command continues")
    return UserError(f"--records_dir={records_dir}: cannot be written ({error}); give a folder with room and write "
                     "permission, the same command then continues")


def _check_flags(config: MakeRecords) -> None:
    if not config.captions:
        raise UserError("--captions is required: the table that says which photo has which caption")
    spooled = is_spooled(config.captions, config.captions_format)
    if not config.images and not spooled:
        raise UserError("--images is required: the folder that the image names of --captions are relative to")
    if config.images and not spooled and not epath.Path(config.images).is_dir():
        raise UserError(f"--images={config.images}: no such folder; give the folder with the photos")
    if config.backbone == "none" and not config.store_images:
        raise UserError("--backbone=none with --store_images=false leaves nothing of the photos; drop one of them")
    if config.store_size and not config.store_images:
        raise UserError(f"--store_size={config.store_size} with --store_images=false: there is nothing to shrink; drop "
                        "one of them")
    if config.runner == "beam":
        from records.runners import beam_pipeline

        beam_pipeline.check(config.beam_args)
    if config.vocabulary and (config.min_count, config.max_words) != (1, 0):
        raise UserError(f"--vocabulary={config.vocabulary} with --min_count or --max_words: its words are counted "
                        "already; drop these")
    rejections.limit(config.max_rejected, 0)
    plan_lib.shard_counts(config)
    if config.vocabulary:
        try:
            manifests.load(config.vocabulary)
        except UserError as error:
            raise UserError(str(error).replace("--records_dir=", "--vocabulary=")) from error
    check_exists(config.captions, config.captions_format)


def _backbone(config: MakeRecords) -> tuple[BackboneJob | None, BackboneInfo | None]:
    """Loads the network once, so that weights that cannot be read stop the run before its first long step."""
    if config.backbone == "none":
        return None, None
    job = BackboneJob(config.backbone, config.backbone_weights, config.backbone_precision, config.feature_views,
                      config.image_size)
    return job, shard_writer.load_extractor(job).backbone.info


def _compared_before_weights(config: MakeRecords, records_dir: str, state: staging.StagingFolder,
                             settings: Mapping[str, Any]) -> str:
    """Compares with what the folder holds all but the weights, which may have to be downloaded first.

    Returns:
      What to add to an error about these weights.

    Raises:
      UserError: another setting differs.
    """
    finished_records = (epath.Path(records_dir) / layout.MANIFEST).exists()
    manifest = manifests.load(records_dir) if finished_records else None
    recorded = manifest.flags if manifest else state.settings()
    if recorded is not None:
        same_weights = fingerprint.backbone_settings(config, recorded.get("backbone_weights_sha256"))
        fingerprint.check_same(recorded, {**settings, **same_weights}, records_dir,
                               "records" if manifest else "unfinished records")
    if not (manifest and manifest.backbone) or manifest.backbone.weights == (config.backbone_weights or "imagenet"):
        return ""
    return f"; the records in {records_dir} were made with --backbone_weights={manifest.backbone.weights}"


def _is_finished(config: MakeRecords, records_dir: str, state: staging.StagingFolder,
                 settings: Mapping[str, object]) -> bool:
    """Whether there is nothing to do; clears the folder for --overwrite and refuses foreign contents."""
    if config.overwrite:
        state.remove()
        if epath.Path(records_dir).is_dir():
            staging.remove_records(records_dir)
    if (epath.Path(records_dir) / layout.MANIFEST).exists():
        manifest = manifests.load(records_dir)
        fingerprint.check_same(manifest.flags, settings, records_dir, "records")
        manifests.check_sizes(records_dir, manifest)
        state.remove()  # what a kill between the manifest and this line left
        return True
    unfinished = state.settings()
    if unfinished is not None:
        fingerprint.check_same(unfinished, settings, records_dir, "unfinished records")
    else:
        staging.check_unclaimed(records_dir)
    return False


def _images_dir(config: MakeRecords, state: staging.StagingFolder) -> str:
    if not config.images:
        return os.path.join(state.local if config.runner == "local" else os.fspath(state.remote), "photos")
    return absolute(config.images)


def _write_shards(config: MakeRecords, jobs: Mapping[str, list[ShardJob]], plan: Plan,
                  workers: Workers) -> dict[str, list[Receipt]]:
    """Pass 2: receipts of all shards, by split and in order."""
    everything = [job for files in jobs.values() for job in files]
    found = {job.file: receipt for job in everything if (receipt := finished(job))}
    waiting = [job for job in everything if job.file not in found]
    kept = sum(receipt.shard.examples for receipt in found.values())
    if found:
        print(f"kept {len(found)} of {counted(len(everything), 'shard')} that an earlier run finished")
    total = sum(plan.examples.values())
    compiles = config.backbone != "none" and config.runner == "local"
    with Progress("writing shards", total=total, unit="examples", initial=kept, warms_up=compiles) as progress:
        for receipt in _written(config, waiting, total - kept, workers, progress):
            found[receipt.shard.file] = receipt
    return {split: [found[job.file] for job in files] for split, files in jobs.items()}


def _written(config: MakeRecords, waiting: list[ShardJob], examples: int, workers: Workers,
             progress: Progress) -> Iterator[Receipt]:
    if config.runner == "local":
        yield from local.write_shards(waiting, examples, workers, config.workers, progress.add)
    elif waiting:
        from records.runners import beam  # imported only here: Apache Beam is an extra

        for receipt in beam.write_shards(waiting, config.beam_args):
            progress.add(receipt.shard.examples)
            yield receipt


def _finish(config: MakeRecords, settings: dict[str, Any], records_dir: str, info: BackboneInfo | None, plan: Plan,
            receipts: Mapping[str, list[Receipt]]) -> None:
    name = settings["name"]
    infos = {split: SplitInfo(*totals(done), max(r.max_tokens for r in done), tuple(r.shard for r in done))
              for split, done in receipts.items()}
    folder = epath.Path(records_dir)
    write_atomic(folder / layout.FEATURES,
                 features_json(info.feature_size if info else None, config.store_images, plan.has_tag_ids))
    write_atomic(folder / layout.DATASET_INFO, dataset_info_json(name, infos))
    names = layout.OTHER_FILES + layout.TAG_FILES * plan.has_tag_ids
    files = {file: _file_info(folder / file) for file in sorted(names)}
    manifests.save(records_dir, Manifest(
        name, plan.target, config.seed, _created_with(),
        {**settings, OWN_SPLITS: True} if plan.own_splits else settings, info, plan.vocabulary_size, config.min_count,
        config.max_words, config.max_words_per_caption, infos, files, plan.duplicates_merged, plan.rejected))


def _created_with() -> dict[str, str]:
    return {name: _version(name) for name in ("tagger", "tensorflow", "pillow")}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "source tree"


def _file_info(path: epath.Path) -> FileInfo:
    return FileInfo(path.stat().length, file_sha256(path))


def _summary(config: MakeRecords, records_dir: str, plan: Plan, receipts: Mapping[str, list[Receipt]]) -> None:
    row = "caption" if plan.target == "captions" else "tag list"
    for split, done in receipts.items():
        examples, captions, _ = totals(done)
        size = sum(receipt.shard.bytes for receipt in done)
        print(f"{split}: {counted(examples, 'example')}, {counted(captions, row)}, "
              f"{counted(len(done), 'shard')}, {size / 1e6:,.1f} MB")
    print(splits.origin(config.split_lists, config.split_fractions, config.seed, plan.own_splits,
                        splits_in_names(config.captions, config.captions_format)))
    if empty := splits.without_photos(config.split_fractions, config.split_lists, plan.examples, plan.own_splits):
        print(f"{' and '.join(empty)}: no photos; {splits.way_to_fill(empty, plan.own_splits)}")
    if few := [split for split in receipts if split != "train" and plan.examples[split] < _FEW_PHOTOS]:
        print(f"few photos in {' and '.join(few)}: scores on them say little; "
              f"{way_to_hold_out_more({**vars(config), OWN_SPLITS: plan.own_splits}, few)}")
    if plan.target == "captions":
        vocabulary = Vocabulary.load(records_dir)
        unknown, words = vocabulary.counts[UNK], sum(vocabulary.counts) - vocabulary.counts[END]
        # Counts of --vocabulary are those of the records that it is from.
        remark = "" if config.vocabulary else unknown_words.remark(unknown, words, config.min_count, config.max_words)
        print(f"vocabulary: {counted(plan.vocabulary_size, 'word')}" + (
            f"; {unknown / words:.1%} of the words of train are <unk>, {remark}" if remark else ""))
    for note in plan.notes:
        print(note)
    if plan.duplicates_merged:
        print(f"{counted(plan.duplicates_merged, 'photo')} with the same pixels as another, merged with it in the most "
              f"held-out of their splits; see {layout.DUPLICATES}")
    if plan.rejected.total:
        print(f"{plan.rejected.total:,} of {counted(plan.rows, 'row')} left out; see {layout.REJECTED}:")
        for reason, count in sorted(plan.rejected.by_reason.items(), key=lambda item: (-item[1], item[0])):
            print(f"  {count:8,}  {printable(reason)}")
    print(f"wrote {records_dir}")
