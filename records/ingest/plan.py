"""Pass 1 of make_records: from the caption table and the photos to splits, vocabulary and one plan per shard.

A plan says everything about a shard except what is in the image files (records/writing/shard_writer.py), so
pass 2 needs nothing else, whichever process or machine writes the shard.
"""

import dataclasses
import functools
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.spec import pairs
from records.format import layout
from records.format.manifest import BackboneInfo, Rejected
from records.ingest import database as database_file
from records.ingest import rejections, similar_names
from records.ingest.database import IngestDatabase
from records.ingest.fingerprint import database_inputs, own_splits
from records.ingest.planned import PlannedExample
from records.ingest.scan import check_images, start_meanwhile
from records.ingest.shard_plan import PlansJob, loaded, write_plans
from records.ingest.splits import Splitter, listed_names, note_on_fractions
from records.ingest.staging import StagingFolder
from records.ingest.targets import Targets, make_same_targets, make_targets
from records.sources import is_spooled, open_source, remarks
from records.util import example_lines
from records.util.atomic_files import AtomicOutput, write_atomic
from records.util.process_pool import Workers

_SHARD_BYTES = 150e6
_TEXT_BYTES = 500  # of an example's captions, about
_WORTH_KEEPING = 1000  # photos whose check takes some seconds, which a corrected command need not do again
_JOBS_PER_WORKER = 4  # few, as each has the vocabulary sent; enough for all to end together


SplitCounts = Mapping[str, tuple[int, int]]  # by split: examples, and bytes of their stored images


@dataclasses.dataclass(frozen=True)
class Plan:
    """The outcome of pass 1.

    Attributes:
      shards: hash of each shard's plan, by split and shard name, in order.
      examples: per split.
      target: what tokens are, "captions" or "tags".
      has_tag_ids: whether there is a tag vocabulary.
      notes: lines for the summary.
      rows: input rows, usable or not.
      own_splits: whether the table, or the names of several, gave photos their splits.
    """

    shards: dict[str, dict[str, str]]
    examples: dict[str, int]
    target: str
    vocabulary_size: int
    has_tag_ids: bool
    notes: list[str]
    duplicates_merged: int
    rows: int
    rejected: Rejected
    own_splits: bool = False


def shard_counts(config: MakeRecords) -> dict[str, int]:
    """--shards, by split. Raises UserError where it is no such thing."""
    counts = {}
    for split, text in pairs(config.shards, "shards").items():
        if not text.isdecimal() or not 1 <= int(text) <= layout.MOST_SHARDS:
            raise UserError(f"--shards: {split}={text}, expected a number from 1 to {layout.MOST_SHARDS}")
        counts[split] = int(text)
    return counts


def listed_images(config: MakeRecords) -> str:
    """Folder by whose files the names in --split_lists are completed; "" where a source brings its own photos."""
    if is_spooled(config.captions, config.captions_format) or "://" in config.images:
        return ""
    return os.path.abspath(config.images)


def read_plan(state: StagingFolder) -> Plan | None:
    """The plan that an earlier run made; None when there is none."""
    try:
        body = json.loads((state.remote / layout.PLAN).read_text())
    except FileNotFoundError:
        return None
    return Plan(**{**body, "rejected": Rejected(**body["rejected"])})


def make_plan(config: MakeRecords, settings: Mapping[str, Any], splitter: Splitter, images_dir: str,
              records_dir: str, state: StagingFolder, info: BackboneInfo | None, workers: Workers) -> Plan:
    """Pass 1, and the files that need no more than it.

    Raises:
      UserError: the input cannot be used, or flags do not fit it.
    """
    database = IngestDatabase(os.path.join(state.local, database_file.FILE), database_inputs(settings, images_dir))
    try:
        table = open_source(config.captions, config.captions_format, images_dir, state.photos,
                            own_splits=own_splits(settings), keywords=config.target == "tags")
        database.ingest(start_meanwhile(table, workers, config.workers))
        database.forget_bad()
        check_images(database, images_dir, config.max_words_per_caption, workers, config.workers,
                     config.follow_links, unpack=bool(config.images))
        workers.prepare(loaded)
        database.resolve(splitter, config.seed)
        counts = database.split_counts(config.store_size)
        rejected = itertools.chain(database.rejected(), _unused_names(database, config))
        rows, left_out, notes = write_rejected(rejected, database.row_count(), counts, config, records_dir, state)
        if config.vocabulary:
            targets = make_same_targets(config.vocabulary, config.target, config.tag_forms, database.keyword_cells())
        else:
            targets = make_targets(database, config.target, config.tag_forms, config.min_count, config.max_words)
        number = shards_per_split(config, counts, info)
        plans = _write_plans(database, targets, records_dir, settings["name"], number, workers)
        duplicates = write_duplicates(database.duplicates(), records_dir, state)
        has_own_splits = database.has_own_splits()
        if not config.split_lists and not has_own_splits:
            notes += note_on_fractions(config.split_fractions, {split: count for split, (count, _) in counts.items()})
        plan = whole_plan(records_dir, targets, plans, counts, rows, left_out, duplicates,
                          [*remarks(config.captions, config.captions_format, images_dir, own_splits(settings)), *notes,
                           *understood({split: database.examples(split) for split in counts}, targets)],
                          has_own_splits)
    except UserError:
        state.forget_settings()  # nothing is written yet that other flags would contradict
        if database.image_counts()[1] < _WORTH_KEEPING:
            state.remove()
        raise
    finally:
        database.close()
    save_plan(plan, state)
    return plan


def save_plan(plan: Plan, state: StagingFolder) -> None:
    """Notes the outcome of pass 1, with which a restart goes on."""
    write_atomic(state.remote / layout.PLAN, json.dumps(dataclasses.asdict(plan)))


def whole_plan(records_dir: str, targets: Targets, shards: dict[str, dict[str, str]], counts: SplitCounts, rows: int,
               rejected: Rejected, duplicates: int, notes: list[str], has_own_splits: bool) -> Plan:
    """The outcome of pass 1; writes the vocabularies beside the shards to come."""
    targets.save(records_dir)
    return Plan(shards, {split: count for split, (count, _) in counts.items()}, targets.target,
                targets.vocabulary.size, targets.tags is not None, [*targets.notes, *notes], duplicates, rows, rejected,
                has_own_splits)


def write_rejected(rejected: Iterable[tuple[str, str, str]], rows: int, counts: SplitCounts, config: MakeRecords,
                   records_dir: str, state: StagingFolder) -> tuple[int, Rejected, list[str]]:
    """Input rows, those of --split_lists that name no photo of the table included; what is left out of them; and what
    the summary says of it.

    Args:
      rejected: (image, row, reason) of all that is in no example, in input order, unused names of lists last.
      rows: of the tables.

    Raises:
      UserError: too much is left out, or nothing is left to train on.
    """
    by_kind: Counter[str] = Counter()
    first: dict[str, str] = {}
    with AtomicOutput(os.path.join(records_dir, layout.REJECTED), state.local) as out:
        for image, row, reason in similar_names.with_hints(rejected, config.images):
            by_kind[rejections.kind(reason)] += 1
            first.setdefault(rejections.kind(reason), f"{row}: {reason}")
            out.write(rejections.line(image, row, reason).encode())
    examples = {split: count for split, (count, _) in counts.items()}
    check_usable = functools.partial(
        rejections.check_usable, rows, by_kind, first, examples,
        "split_lists" if config.split_lists else "split_fractions" if config.split_fractions else "")
    try:
        if not examples:
            check_usable()  # it names all reasons, a limit only one; and no limit helps then
        rejections.check_limit(config.max_rejected, rows, by_kind, first)
        check_usable()
    except UserError as error:
        rejected_file = epath.Path(records_dir) / layout.REJECTED
        if not by_kind:
            rejected_file.unlink()
            raise
        raise UserError(f"{error}; every row left out is in {rejected_file}") from None
    return (rows + by_kind[rejections.UNUSED_NAME], Rejected(sum(by_kind.values()), dict(sorted(by_kind.items()))),
            rejections.notes(rows, by_kind, first))


def understood(examples: Mapping[str, Iterable[PlannedExample]], targets: Targets) -> list[str]:
    """Lines that show the first examples of each split as they were understood."""
    splits = []
    for split, planned in examples.items():
        lines = []
        for example in itertools.islice(planned, example_lines.EXAMPLES):
            _, tag_ids = targets.of(example.captions)
            tags = ([tag for text in example.captions for tag in text.tags.split()] if tag_ids is None or
                    targets.tags is None else [targets.tags.tags[tag] for ids in tag_ids for tag in ids])
            lines.append(example_lines.example_line(split, example.key, [c.caption for c in example.captions], tags,
                                                    targets.unknown(example.captions)))
        splits.append(lines)
    lines = example_lines.choose(splits)
    return ["examples, as they were understood:", *lines, *example_lines.remark(lines)]


def _unused_names(database: IngestDatabase, config: MakeRecords) -> Iterator[tuple[str, str, str]]:
    for image, file, number, _ in listed_names(config.split_lists, listed_images(config)):
        if not database.has_image(image):
            yield image, f"{os.path.basename(file)}:{number}", rejections.UNUSED_NAME


def write_duplicates(duplicates: Iterable[tuple[str, str, str]], records_dir: str, state: StagingFolder) -> int:
    """Writes duplicates.jsonl from (image, kept as, split), in input order; returns how many there are."""
    count = 0
    with AtomicOutput(os.path.join(records_dir, layout.DUPLICATES), state.local) as out:
        for image, kept, split in duplicates:
            line = json.dumps({"image": image, "kept_as": kept, "split": split}, ensure_ascii=False)
            out.write(f"{line}\n".encode())
            count += 1
    return count


def shards_per_split(config: MakeRecords, counts: SplitCounts, info: BackboneInfo | None) -> dict[str, int]:
    """How many shards each split is cut into. Raises UserError where --shards does not fit the splits."""
    given = shard_counts(config)
    for split, number in given.items():
        if split not in counts:
            raise UserError(f"--shards: {split}={number}, but there is no such split; there are {', '.join(counts)}")
        if number > counts[split][0]:
            raise UserError(f"--shards: {split}={number} is more than its {counts[split][0]} examples; give "
                            "at most that")
    per_example = _TEXT_BYTES + (2 * info.feature_size if info else 0)
    size = {split: count * per_example + (stored if config.store_images else 0)
            for split, (count, stored) in counts.items()}
    return {split: given.get(split) or min(max(1, round(size[split] / _SHARD_BYTES)), layout.MOST_SHARDS)
            for split in counts}


def shard_bounds(examples: int, shards: int) -> list[int]:
    """The number of the first example of each shard, as even as can be, and of all examples."""
    return [shard * examples // shards for shard in range(shards + 1)]


def _write_plans(database: IngestDatabase, targets: Targets, records_dir: str, name: str, number: Mapping[str, int],
                 workers: Workers) -> dict[str, dict[str, str]]:
    """Cuts each split's examples, in their order, into plans as even as can be; their hashes by split and shard."""
    jobs = []
    for split, (examples, _) in database.split_counts().items():
        bounds = shard_bounds(examples, number[split])
        sizes = [end - start for start, end in itertools.pairwise(bounds)]
        files = [layout.shard_file(name, split, shard, number[split]) for shard in range(number[split])]
        at_once = -(-len(files) // (_JOBS_PER_WORKER * max(workers.running, 1)))
        jobs += [PlansJob(database.path, records_dir, split, files[some:some + at_once],
                          database.position(split, bounds[some]), sizes[some:some + at_once])
                 for some in range(0, len(files), at_once)]
    result: dict[str, dict[str, str]] = {split: {} for split in number}
    write = functools.partial(write_plans, targets=targets)
    for job, hashes in zip(jobs, workers.map(write, jobs, workers.running), strict=True):
        result[job.split] |= hashes
    return result
