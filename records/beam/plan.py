"""Pass 1 of make_records on a cluster: one pipeline after the other, and what is decided between them.

The machine that starts them reads a line for each part of the work: of rows, photos and examples it holds none, of
words those that the vocabulary is made of. What a killed run knew of photos is kept.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.spec import pairs
from records.beam import counting, examples, rows, shard_plans, twins
from records.beam.counting import CountingJob
from records.beam.examples import ExamplesJob
from records.beam.rows import RowsJob, SplitList
from records.beam.shard_plans import PlansJob, PlanTask
from records.beam.twins import TwinsJob
from records.beam.work_folder import WorkFolder
from records.format import layout
from records.format.manifest import BackboneInfo
from records.ingest import plan as plan_lib
from records.ingest.deduplication import held_out_first
from records.ingest.fingerprint import database_inputs, own_splits
from records.ingest.plan import Plan, SplitCounts
from records.ingest.splits import Splitter, note_on_fractions
from records.ingest.staging import StagingFolder
from records.ingest.targets import Targets, make_same_targets, targets_of
from records.ingest.text_counts import PUBLISHED, TextCounts
from records.runners import beam_pipeline
from records.runners.beam_pipeline import Step, StepFailed, Watch
from records.sources.pieces import Piece, Survey, pieces_of, placed, survey
from records.sources.registry import no_rows, remarks
from records.text.keywords import are_separated
from records.text.tag_vocabulary import TagRules
from records.util.absolute_paths import absolute

_PIECE_BYTES = 16 << 20  # of a table, most; small tables are cut into some hundred pieces
_LEAST_PIECE_BYTES, _PIECES = 1 << 18, 128
_BUCKET_BYTES = 4 << 20  # of the table in a bucket of photos; in up to 256 buckets there may be less
_LEAST_BUCKET_BYTES, _BUCKETS = 1 << 16, 256
_WORD_BUCKETS = 64
_SURVEY = "survey"


def make_plan(config: MakeRecords, settings: Mapping[str, Any], splitter: Splitter, images_dir: str, records_dir: str,
              state: StagingFolder, info: BackboneInfo | None) -> Plan:
    """Like records.ingest.plan.make_plan, with every step that grows with the rows on the cluster.

    Args:
      splitter: of fractions and of the table itself; the files of --split_lists are read by workers.
      images_dir, records_dir: on storage that all workers share.

    Raises:
      UserError: the input cannot be used, flags do not fit it, or a pipeline failed.
    """
    pass1 = _Pass1(config, settings, images_dir, records_dir, state)
    try:
        plan = pass1.plan(splitter, info)
    except UserError:
        state.forget_settings()  # nothing is written yet that other flags would contradict
        if not pass1.knows_photos:
            state.remove()
        raise
    plan_lib.save_plan(plan, state)
    return plan


class _Pass1:
    """One run of pass 1."""

    def __init__(self, config: MakeRecords, settings: Mapping[str, Any], images_dir: str, records_dir: str,
                 state: StagingFolder):
        self._config, self._settings, self._state = config, settings, state
        self._images_dir, self._records_dir = images_dir, records_dir
        lists = [settings["split_lists"], bool(settings.get("follow_links"))]
        inputs = hashlib.sha256(json.dumps([database_inputs(settings, images_dir), lists]).encode()).hexdigest()
        self._work = WorkFolder(os.fspath(layout.cluster_dir(records_dir, inputs[:8])))
        epath.Path(self._work.path).mkdir(parents=True, exist_ok=True)

    def _run(self, tasks: Sequence[Any], steps: Sequence[Step], watch: Watch | None = None) -> None:
        beam_pipeline.run(self._config.beam_args, tasks, steps, self._work.path, watch)

    @property
    def knows_photos(self) -> bool:
        """Whether some photos are checked, which a corrected command need not do again."""
        return bool(self._work.names("photos"))

    def plan(self, splitter: Splitter, info: BackboneInfo | None) -> Plan:
        config, work = self._config, self._work
        pieces = self._pieces()
        size = sum(_bytes(piece) for piece in pieces)
        buckets = max(min(-(-size // _LEAST_BUCKET_BYTES), _BUCKETS), size // _BUCKET_BYTES)
        lists = [SplitList(len(pieces) + number, split, absolute(file))
                 for number, (split, file) in enumerate(pairs(config.split_lists, "split_lists").items())]
        total = self._check_photos(pieces, lists, buckets)
        self._find_twins(buckets)
        counts = self._order_examples(ExamplesJob(work, buckets, splitter, bool(lists), config.seed,
                                                  config.store_size))
        rejected = ((image, row, reason) for body in work.bodies(examples.REJECTED) for _, image, row, reason in body)
        row_count, left_out, notes = plan_lib.write_rejected(rejected, total, counts, config, self._records_dir,
                                                             self._state)
        targets = self._count_words()
        number = plan_lib.shards_per_split(config, counts, info)
        plans = self._write_plans(targets, counts, number)
        duplicates = (entry[1:] for body in work.bodies(examples.DUPLICATES) for entry in body)
        merged = plan_lib.write_duplicates(duplicates, self._records_dir, self._state)
        has_own_splits = any(summary.get("own_splits") for summary in work.summaries("photos").values())
        if not config.split_lists and not has_own_splits:
            notes += note_on_fractions(config.split_fractions, {split: count for split, (count, _) in counts.items()})
        first = {split: self._examples(split) for split in counts}
        return plan_lib.whole_plan(self._records_dir, targets, plans, counts, row_count, left_out, merged,
                                   [*remarks(config.captions, config.captions_format, self._images_dir,
                                             own_splits(self._settings)), *notes,
                                    *plan_lib.understood(first, targets)], has_own_splits)

    def _pieces(self) -> list[Piece]:
        """All pieces of the table, looked at until it is known where each begins."""
        config = self._config
        source = (config.captions, config.captions_format, self._images_dir, own_splits(self._settings),
                  config.target == "tags")
        size = sum(_bytes(piece) for piece in pieces_of(*source))
        pieces = pieces_of(*source, min(max(size // _PIECES, _LEAST_PIECE_BYTES), _PIECE_BYTES),
                           os.path.join(os.fspath(self._state.remote), "photos"))
        self._work.remove([_SURVEY])
        while waiting := [piece for piece in pieces if not piece.is_placed]:
            self._run(waiting, [functools.partial(write_survey, work=self._work)])
            found = {int(name.rpartition("-")[2]): Survey(*told)
                     for name, told in self._work.summaries(_SURVEY).items()}
            pieces = placed(pieces, {piece.number: found[piece.number] for piece in waiting})
        return pieces

    def _check_photos(self, pieces: Sequence[Piece], lists: Sequence[SplitList], buckets: int) -> int:
        """Writes photos-B; the number of input rows."""
        config, work = self._config, self._work
        job = RowsJob(work, buckets, self._images_dir, plan_lib.listed_images(config), config.max_words_per_caption,
                      config.follow_links, bool(config.images))
        watch = Watch("checking photos", "parts", buckets, lambda: len(work.names("photos")))
        try:
            self._run([*pieces, *lists], [functools.partial(rows.read, job=job),
                                          functools.partial(rows.check_photos, job=job)], watch)
        except StepFailed:
            work.remove(["photos"])  # they lack the rows of a piece that could not be read
            raise
        by_source = Counter[int]()
        for summary in work.summaries("photos").values():
            for source, count in summary["rows"].items():
                by_source[int(source)] += count
        for piece in pieces:
            if not by_source[piece.source]:
                raise no_rows(piece.table, piece.form)
        return sum(by_source.values())

    def _find_twins(self, buckets: int) -> None:
        """Writes twins-B."""
        work = self._work
        work.remove(["sizes", "twins"])
        photos = work.summaries("photos")
        sizes = sorted({tuple(size) for summary in photos.values() for size in summary["sizes"]})
        name = f"sizes-{hashlib.sha256(repr(sizes).encode()).hexdigest()[:16]}"
        work.put(name, sizes, {})
        job = TwinsJob(work, name, buckets, self._images_dir, self._config.follow_links)
        steps: list[Step] = [twins.candidates, twins.same_eighths, twins.same_pixels, twins.write_twins]
        self._run(list(photos), [functools.partial(step, job=job) for step in steps])

    def _order_examples(self, job: ExamplesJob) -> SplitCounts:
        """Writes examples, rejected rows and duplicates in their order; examples and bytes of every split."""
        work = self._work
        work.remove(["merged", examples.EXAMPLES, examples.REJECTED, examples.DUPLICATES])
        if with_twins := work.names("twins"):
            self._run(with_twins, [functools.partial(examples.twins_of, job=job),
                                   functools.partial(examples.merge, job=job)])
        self._run([*work.names("photos"), *work.names("merged")], [
            functools.partial(examples.resolved, job=job), functools.partial(examples.write_in_order, job=job)])
        counts: dict[str, tuple[int, int]] = {}
        for summary in work.summaries(examples.EXAMPLES).values():
            count, size = counts.get(summary["split"], (0, 0))
            counts[summary["split"]] = count + summary["count"], size + summary["bytes"]
        return dict(sorted(counts.items(), key=lambda item: held_out_first(item[0]), reverse=True))

    def _count_words(self) -> Targets:
        config, work = self._config, self._work
        work.remove([counting.CELLS, counting.COUNTS])
        parts = work.summaries(examples.EXAMPLES)
        train = {name: summary for name, summary in parts.items() if summary["split"] == "train"}
        job = CountingJob(work, _WORD_BUCKETS, TagRules(config.tag_forms))
        separated = any(summary["separated"] for summary in parts.values())
        if config.tag_forms != PUBLISHED and not separated and (
                with_cells := [name for name, summary in parts.items() if summary["cells"]]):
            self._run(with_cells, [functools.partial(counting.cells, job=job),
                                   functools.partial(counting.tally_cells, job=job)])
            several, again = map(sum, zip(*work.summaries(counting.CELLS).values(), strict=True))
            job = CountingJob(work, _WORD_BUCKETS, TagRules(config.tag_forms, are_separated(several, again)))
        if config.vocabulary:
            return dataclasses.replace(make_same_targets(config.vocabulary, config.target, config.tag_forms, ()),
                                       rules=job.rules)
        keyword_rows = sum(summary["keyword_rows"] for summary in train.values())
        if not keyword_rows and config.target != "tags":  # else a rare word may be made frequent by another count
            job = CountingJob(work, _WORD_BUCKETS, job.rules, config.min_count)
        self._run(list(train), [functools.partial(counting.counts, job=job),
                                functools.partial(counting.add_up, job=job)])
        total = TextCounts(job.rules)
        total.rows, total.keyword_rows = sum(summary["rows"] for summary in train.values()), keyword_rows
        for body in work.bodies(counting.COUNTS):
            for entry in body:
                total.add_entry(entry)
        cut = work.summaries(counting.COUNTS).values()
        total.cut = sum(words for words, _ in cut), sum(tagged for _, tagged in cut)
        return targets_of(total, config.target, config.min_count, config.max_words, separated)

    def _write_plans(self, targets: Targets, counts: SplitCounts, number: Mapping[str, int]
                     ) -> dict[str, dict[str, str]]:
        """The hash of each shard's plan, by split and shard."""
        work = self._work
        work.remove([shard_plans.PLANS])
        words = repr((targets.vocabulary, targets.tags)).encode(errors="replace")
        vocabularies = os.path.join(work.path, f"vocabularies-{hashlib.sha256(words).hexdigest()[:16]}")
        epath.Path(vocabularies).mkdir(exist_ok=True)
        targets.save(vocabularies)
        files = {split: [layout.shard_file(self._settings["name"], split, shard, number[split])
                         for shard in range(number[split])] for split in counts}
        tasks = [task for split in counts for task in self._plan_tasks(split, files[split], counts[split][0])]
        job = PlansJob(work, self._records_dir, vocabularies, targets.target, targets.rules)
        self._run(tasks, [functools.partial(shard_plans.write, job=job)])
        hashes = work.summaries(shard_plans.PLANS)
        return {split: {file: hashes[f"{shard_plans.PLANS}-{file}"] for file in files[split]} for split in counts}

    def _parts(self, split: str) -> list[str]:
        """The files with the examples of a split, in their order."""
        return self._work.names(f"{examples.EXAMPLES}-{split}")

    def _plan_tasks(self, split: str, files: Sequence[str], count: int) -> Iterator[PlanTask]:
        names = self._parts(split)
        sizes = [self._work.summary(name)["count"] for name in names]
        ends = list(itertools.accumulate(sizes))
        at = 0  # the first file that is not behind the shard's first example
        for file, (start, end) in zip(files, itertools.pairwise(plan_lib.shard_bounds(count, len(files))), strict=True):
            while ends[at] <= start:
                at += 1
            parts = []
            for index in range(at, len(names)):
                first = ends[index] - sizes[index]
                if first >= end:
                    break
                parts.append((names[index], max(start - first, 0), min(end, ends[index]) - first))
            yield PlanTask(file, tuple(parts))

    def _examples(self, split: str) -> Iterator[Any]:
        return (entry.example for name in self._parts(split) for entry in self._work.get(name))


def _bytes(piece: Piece) -> int:
    """About how much text a piece holds."""
    if piece.table.span is not None:
        return piece.table.span.end - piece.table.span.start
    try:
        return epath.Path(piece.table.path).stat().length
    except OSError:
        return _LEAST_PIECE_BYTES


def write_survey(piece: Piece, work: WorkFolder) -> Iterator[tuple[int, Any]]:
    """Writes survey-NUMBER, whose summary is what a look at a piece tells."""
    work.put(f"{_SURVEY}-{piece.number:06d}", None, survey(piece))
    yield from ()
