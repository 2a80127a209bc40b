"""Photos and captions to a records folder: check everything, plan every shard, write the shards, then the manifest.

Pass 1 reads the caption table and every photo once, in parallel, into an index on disk. From that come splits,
vocabulary and one plan per shard. Pass 2 writes each shard from its plan. Both passes can be killed at any moment
and started again; the manifest is written last.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

import google_crc32c
from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.spec import pairs
from records import index as index_file
from records import manifest as manifests
from records import rejected, resume, shards
from records.example import dataset_info_json, features_json
from records.files import write_atomic
from records.images import BadImage, check_image, read_image
from records.index import ImageResult, ImageTask, Index
from records.manifest import BackboneInfo, FileInfo, Manifest, Rejected, SplitInfo
from records.output import AtomicOutput
from records.parallel import WorkerDied, cpus, ordered_map
from records.progress import Progress
from records.shards import BackboneJob, Receipt, ShardJob
from records.sources import is_spooled, open_source
from records.splits import Splitter
from records.text import tags, words
from records.vocabulary import END, Vocabulary

_SHARD_BYTES = 150e6
_TEXT_BYTES = 500  # of an example's captions, about
_CHUNK = 16  # photos a worker checks at a time
_PHOTOS_PER_WORKER = 100  # it takes about as long to start one
_PLAN = "plan.json"
_DUPLICATES = "duplicates.jsonl"


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The outcome of pass 1.

    Attributes:
      shards: hash of each shard's plan, by split and shard name, in order.
      examples: per split.
    """

    shards: dict[str, dict[str, str]]
    examples: dict[str, int]
    vocabulary_size: int
    duplicates_merged: int
    rows: int
    rejected: Rejected


def run(config: MakeRecords) -> None:
    """--mode=make_records. Raises UserError for input or flags that cannot be used."""
    _check_flags(config)
    name = resume.dataset_name(config)
    splitter = Splitter.from_flags(config.split_lists, config.split_fractions)
    backbone, info = _backbone(config)
    settings = resume.settings_of(config, name, info.weights_sha256 if info else None)
    records_dir = os.path.abspath(config.records_dir) if "://" not in config.records_dir else config.records_dir
    state = resume.State(records_dir)
    try:
        with state.locked():
            if _is_finished(config, records_dir, state, settings):
                print(f"{records_dir}: complete, made from the same captions with the same flags; nothing to do "
                      "(--overwrite makes it anew, --mode=verify_records reads every byte)")
                return
            state.start(settings)
            images_dir = _images_dir(config, state)
            plan = _read_plan(state) or _make_plan(config, settings, splitter, images_dir, records_dir, state, info)
            jobs = {split: [ShardJob(records_dir, file, sha256, images_dir, config.store_images, backbone)
                            for file, sha256 in files.items()] for split, files in plan.shards.items()}
            receipts = _write_shards(config, jobs, plan)
            _finish(config, settings, records_dir, info, plan, receipts)
            state.remove()
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"--records_dir={config.records_dir}: cannot be written ({error}); give a folder with room and "
                        "write permission, the same command then continues") from error
    except (WorkerDied, MemoryError) as error:
        raise UserError(f"{error or 'memory ran out'}: pass fewer --workers, as each needs memory for the largest "
                        "photo; the same command continues") from error
    _summary(records_dir, plan, receipts)


def _check_flags(config: MakeRecords) -> None:
    spooled = is_spooled(config.captions, config.captions_format)
    if not config.images and not spooled:
        raise UserError("--images is required: the folder that the image names of --captions are relative to")
    if config.images and not spooled and not epath.Path(config.images).is_dir():
        raise UserError(f"--images={config.images}: no such folder; give the folder with the photos")
    if config.backbone == "none" and not config.store_images:
        raise UserError("--backbone=none with --store_images=false leaves nothing of the photos; drop one of them")
    for flag, least in (("min_count", 1), ("max_words", 0), ("max_words_per_caption", 1), ("workers", 0), ("seed", 0)):
        if getattr(config, flag) < least:
            raise UserError(f"--{flag}={getattr(config, flag)}: expected at least {least}")
    rejected.limit(config.max_rejected, 0)
    _shard_counts(config)


def _shard_counts(config: MakeRecords) -> dict[str, int]:
    counts = {}
    for split, text in pairs(config.shards, "shards").items():
        if not text.isdecimal() or not 1 <= int(text) <= 99_999:
            raise UserError(f"--shards: {split}={text}, expected a number from 1 to 99999")
        counts[split] = int(text)
    return counts


def _backbone(config: MakeRecords) -> tuple[BackboneJob | None, BackboneInfo | None]:
    """Loads the network once, so that weights that cannot be read stop the run before its first long step."""
    if config.backbone == "none":
        return None, None
    job = BackboneJob(config.backbone, config.backbone_weights, config.backbone_precision, config.feature_views)
    loaded = shards.load_extractor(job).backbone
    return job, BackboneInfo(
        job.name, job.weights, loaded.weights_sha256, loaded.feature_size, loaded.spec.image_size,
        loaded.preprocessing, job.precision)


def _is_finished(config: MakeRecords, records_dir: str, state: resume.State, settings: Mapping[str, object]) -> bool:
    """Whether there is nothing to do; clears the folder for --overwrite and refuses foreign contents."""
    if config.overwrite:
        state.remove()
        if epath.Path(records_dir).is_dir():
            resume.remove_records(records_dir)
    if (epath.Path(records_dir) / manifests.FILE).exists():
        manifest = manifests.load(records_dir)
        resume.check_same(manifest.flags, settings, records_dir, "records")
        manifests.check_sizes(records_dir, manifest)
        state.remove()  # what a kill between the manifest and this line left
        return True
    unfinished = state.settings()
    if unfinished is not None:
        resume.check_same(unfinished, settings, records_dir, "unfinished records")
    else:
        resume.check_unclaimed(records_dir)
    return False


def _images_dir(config: MakeRecords, state: resume.State) -> str:
    if not config.images:
        return os.path.join(state.local, "photos")
    return config.images if "://" in config.images else os.path.abspath(config.images)


def _read_plan(state: resume.State) -> _Plan | None:
    try:
        body = json.loads((state.remote / _PLAN).read_text())
    except FileNotFoundError:
        return None
    return _Plan(**{**body, "rejected": Rejected(**body["rejected"])})


def _make_plan(config: MakeRecords, settings: Mapping[str, Any], splitter: Splitter, images_dir: str,
               records_dir: str, state: resume.State, info: BackboneInfo | None) -> _Plan:
    """Pass 1, and the files that need no more than it."""
    index = Index(os.path.join(state.local, index_file.FILE), resume.index_inputs(settings, images_dir))
    try:
        index.ingest(open_source(config.captions, config.captions_format, images_dir))
        index.forget_bad()
        _check_images(index, config, images_dir)
        index.resolve(splitter, config.seed)
        left_out = _write_rejected(index, config, records_dir, state)
        vocabulary = _vocabulary(index, config)
        counts = index.split_counts()
        number = _shards_per_split(config, counts, info)
        plans = {split: _write_plans(index, vocabulary, config.target, records_dir,
                                     f"{settings['name']}-{split}.tfrecord", split, counts[split][0], number[split])
                 for split in counts}
        vocabulary.save(records_dir)
        plan = _Plan(plans, {split: count for split, (count, _) in counts.items()}, vocabulary.size,
                     _write_duplicates(index, records_dir, state), index.row_count(), left_out)
    except UserError:
        state.forget_settings()  # nothing is written yet that other flags would contradict
        raise
    finally:
        index.close()
    write_atomic(state.remote / _PLAN, json.dumps(dataclasses.asdict(plan)))
    return plan


def check_chunk(tasks: list[ImageTask], images_dir: str, max_words: int) -> list[ImageResult]:
    """Pass 1's work on some photos: decodes them, and finds the words and tags of their captions."""
    return [_check_one(task, images_dir, max_words) for task in tasks]


def _check_one(task: ImageTask, images_dir: str, max_words: int) -> ImageResult:
    try:
        data = read_image(images_dir, task.key)
        image = check_image(data)
    except BadImage as error:
        return ImageResult(task.image, str(error))
    texts: list[tuple[int, str, str, str | None]] = []
    for seq, caption in task.captions:
        found = words(caption)
        if len(found) > max_words:
            texts.append((seq, "", "", f"caption is too long: {len(found):,} words, --max_words_per_caption is "
                          f"{max_words}"))
        else:
            texts.append((seq, " ".join(found), " ".join(tags(caption)), None))
    return ImageResult(task.image, None, image.height, image.width, google_crc32c.value(data),
                       image.pixel_sha256, image.reencoded, len(image.storable), tuple(texts))


def _workers(config: MakeRecords, tasks: int) -> int:
    """Processes for so many tasks; 0 means this one, where starting others would not pay."""
    workers = min(config.workers or cpus(), tasks)
    return workers if workers > 1 else 0


def _check_images(index: Index, config: MakeRecords, images_dir: str) -> None:
    total, checked = index.image_counts()
    check = functools.partial(check_chunk, images_dir=images_dir, max_words=config.max_words_per_caption)
    workers = _workers(config, (total - checked) // _PHOTOS_PER_WORKER)
    with Progress("checking photos", total=total, unit="photos", initial=checked) as progress:
        def check_some(tasks: Iterable[list[ImageTask]], workers: int) -> bool:
            try:
                for results in ordered_map(check, tasks, workers):
                    index.check(results)
                    progress.add(len(results))
                return True
            except WorkerDied:
                return False

        while not check_some(index.unchecked(_CHUNK), workers):
            # A photo took its process down, as damaged ones can in native code. It is one of those that were in
            # flight: go through these one by one, and look at the first without a result in a process of its own.
            if not check_some(itertools.islice(index.unchecked(1), 4 * workers * _CHUNK), 1):
                (task,) = next(index.unchecked(1))
                if not check_some([[task]], 1):
                    index.check([ImageResult(task.image, "image crashes its decoder: the process that read it died")])
                    progress.add(1)


def _write_rejected(index: Index, config: MakeRecords, records_dir: str, state: resume.State) -> Rejected:
    by_kind: Counter[str] = Counter()
    first: dict[str, str] = {}
    with AtomicOutput(os.path.join(records_dir, rejected.FILE), state.local) as out:
        for image, row, reason in index.rejected():
            by_kind[rejected.kind(reason)] += 1
            first.setdefault(rejected.kind(reason), f"{row}: {reason}")
            out.write(rejected.line(image, row, reason).encode())
    rejected.check_limit(config.max_rejected, index.row_count(), by_kind, first)
    return Rejected(sum(by_kind.values()), dict(sorted(by_kind.items())))


def _write_duplicates(index: Index, records_dir: str, state: resume.State) -> int:
    count = 0
    with AtomicOutput(os.path.join(records_dir, _DUPLICATES), state.local) as out:
        for image, kept, split in index.duplicates():
            line = json.dumps({"image": image, "kept_as": kept, "split": split}, ensure_ascii=False)
            out.write(f"{line}\n".encode())
            count += 1
    return count


def _vocabulary(index: Index, config: MakeRecords) -> Vocabulary:
    word_counts, tag_counts = index.count_words("train")
    if not word_counts:
        raise UserError("the train split is empty: no usable caption is in it; see "
                        f"--split_lists, --split_fractions and {rejected.FILE} in --records_dir")
    counter = tag_counts if config.target == "tags" else word_counts
    return Vocabulary.build(counter, tag_counts, config.min_count, config.max_words)


def _shards_per_split(config: MakeRecords, counts: Mapping[str, tuple[int, int]],
                      info: BackboneInfo | None) -> dict[str, int]:
    given = _shard_counts(config)
    for split, number in given.items():
        if split not in counts:
            raise UserError(f"--shards: {split}={number}, but there is no such split; there are {', '.join(counts)}")
        if number > counts[split][0]:
            raise UserError(f"--shards: {split}={number} is more than its {counts[split][0]} examples; give "
                            "at most that")
    per_example = _TEXT_BYTES + (2 * info.feature_size if info else 0)
    size = {split: count * per_example + (stored if config.store_images else 0)
            for split, (count, stored) in counts.items()}
    return {split: given.get(split) or max(1, round(size[split] / _SHARD_BYTES)) for split in counts}


def _write_plans(index: Index, vocabulary: Vocabulary, target: str, records_dir: str, prefix: str, split: str,
                 examples: int, number: int) -> dict[str, str]:
    """Cuts a split's examples, in their order, into `number` plans as even as can be; their hashes by shard name."""
    planned = index.examples(split)
    result = {}
    for shard in range(number):
        file = f"{prefix}-{shard:05d}-of-{number:05d}"
        count = (shard + 1) * examples // number - shard * examples // number
        path = shards.plan_path(records_dir, file)
        with AtomicOutput(path, os.path.join(records_dir, manifests.STATE_DIR)) as out:
            for example in itertools.islice(planned, count):
                targets = (found if target == "captions" else tagged for _, found, tagged in example.captions)
                tokens = [[*vocabulary.ids(text.split()), END] for text in targets]
                out.write(shards.plan_line(example, tokens).encode())
        result[file] = out.sha256()
    return result


def _write_shards(config: MakeRecords, jobs: Mapping[str, list[ShardJob]], plan: _Plan) -> dict[str, list[Receipt]]:
    """Pass 2: receipts of all shards, by split and in order."""
    everything = [job for files in jobs.values() for job in files]
    found = {job.file: receipt for job in everything if (receipt := shards.finished(job))}
    waiting = [job for job in everything if job.file not in found]
    kept = sum(receipt.shard.examples for receipt in found.values())
    if found:
        print(f"kept {len(found)} of {len(everything)} shards that an earlier run finished")
    with Progress("writing shards", total=sum(plan.examples.values()), unit="examples", initial=kept) as progress:
        for receipt in _written(config, waiting, progress):
            found[receipt.shard.file] = receipt
    return {split: [found[job.file] for job in files] for split, files in jobs.items()}


def _written(config: MakeRecords, waiting: list[ShardJob], progress: Progress) -> Iterator[Receipt]:
    if config.runner == "beam" and waiting:
        from records.beam_runner import write_shards

        yield from write_shards(waiting, config.beam_args)
        return
    workers = _workers(config, len(waiting))
    if config.backbone != "none" or not workers:  # the backbone's own threads use every CPU
        for job in waiting:
            yield shards.write_shard(job, progress.add)
        return
    for receipt in ordered_map(shards.write_shard, waiting, workers):
        progress.add(receipt.shard.examples)
        yield receipt


def _finish(config: MakeRecords, settings: dict[str, Any], records_dir: str, info: BackboneInfo | None, plan: _Plan,
            receipts: Mapping[str, list[Receipt]]) -> None:
    name = settings["name"]
    splits = {split: SplitInfo(*shards.total(done), max(r.max_tokens for r in done), tuple(r.shard for r in done))
              for split, done in receipts.items()}
    folder = epath.Path(records_dir)
    write_atomic(folder / "features.json", features_json(info.feature_size if info else None, config.store_images))
    write_atomic(folder / "dataset_info.json", dataset_info_json(name, splits))
    files = {file: _file_info(folder / file) for file in sorted(manifests.OTHER_FILES)}
    created_with = {"tagger": _version("tagger"), "tensorflow": _version("tensorflow"),
                    "pillow": _version("pillow")}
    manifests.save(records_dir, Manifest(
        name, config.target, config.seed, created_with, settings, info, plan.vocabulary_size, config.min_count,
        config.max_words, config.max_words_per_caption, splits, files, plan.duplicates_merged, plan.rejected))


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "source tree"


def _file_info(path: epath.Path) -> FileInfo:
    data = path.read_bytes()
    return FileInfo(len(data), hashlib.sha256(data).hexdigest())


def _summary(records_dir: str, plan: _Plan, receipts: Mapping[str, list[Receipt]]) -> None:
    for split, done in receipts.items():
        examples, captions, _ = shards.total(done)
        size = sum(receipt.shard.bytes for receipt in done)
        print(f"{split}: {examples:,} examples, {captions:,} captions, {len(done)} shards, {size / 1e6:,.1f} MB")
    print(f"vocabulary: {plan.vocabulary_size:,} words")
    if plan.duplicates_merged:
        print(f"{plan.duplicates_merged:,} photos have the same pixels as another and were merged with it, in the most "
              f"held-out of their splits; see {_DUPLICATES}")
    if plan.rejected.total:
        print(f"{plan.rejected.total:,} of {plan.rows:,} rows left out; see {rejected.FILE}:")
        for reason, count in sorted(plan.rejected.by_reason.items(), key=lambda item: (-item[1], item[0])):
            print(f"  {count:8,}  {reason}")
    print(f"wrote {records_dir}")
