"""Plans of some of a split's shards, written from the ingest database by the processes that will write the shards."""

import contextlib
import dataclasses
import itertools
import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from records.format.layout import plan_path, staging_dir
from records.ingest.planned import PlannedExample, planned
from records.ingest.targets import Targets
from records.util.atomic_files import AtomicOutput

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # json.dumps would make one for each line


class PlansJob(NamedTuple):
    """Some shards that follow one another.

    Attributes:
      database_path: the file of `records.ingest.database`, with all duplicate groups resolved.
      files: the shards' names.
      first: position of the first example of the first shard.
      counts: examples of each shard.
    """

    database_path: str
    records_dir: str
    split: str
    files: Sequence[str]
    first: bytes
    counts: Sequence[int]


def loaded() -> None:
    """Does nothing: importing this module preloads what plans and shards take."""


def write_plans(job: PlansJob, targets: Targets) -> dict[str, str]:
    """Writes the plan of each shard; its hash by the shard's name."""
    result = {}
    with contextlib.closing(sqlite3.connect(job.database_path)) as db:
        examples = planned(db, job.split, job.first)
        for file, count in zip(job.files, job.counts, strict=True):
            result[file] = write_plan(job.records_dir, file, itertools.islice(examples, count), targets)
    return result


def write_plan(records_dir: str, file: str, examples: Iterable[PlannedExample], targets: Targets) -> str:
    """Writes the plan of one shard; its hash."""
    with AtomicOutput(plan_path(records_dir, file), os.fspath(staging_dir(records_dir))) as out:
        for example in examples:
            example = dataclasses.replace(example, captions=targets.merged(example.captions))
            out.write(plan_line(example, *targets.of(example.captions)).encode())
    return out.sha256()


def plan_line(example: PlannedExample, tokens: list[list[int]], tag_ids: list[list[int]] | None) -> str:
    """One line of a plan; `tokens` and `tag_ids` have one list per caption, those of tokens each ending with 1."""
    line = {
        "key": example.key, "height": example.height, "width": example.width,
        "file_crc32c": example.file_crc32c, "reencode": example.reencode,
        "captions": [text.caption for text in example.captions],
        "tags": [text.tags for text in example.captions], "tokens": tokens,
    }
    if tag_ids is not None:
        line["tag_ids"] = tag_ids
    if example.extent is not None:
        line["extent"] = example.extent
    return _encode(line) + "\n"
