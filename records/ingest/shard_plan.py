"""The plans of some of a split's shards, written from the index by the processes that will write the shards."""

import contextlib
import itertools
import json
import os
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from records.format.layout import plan_path, staging_dir
from records.ingest.planned import Planned, planned
from records.text.vocabulary import END, Vocabulary
from records.util.atomic_output import AtomicOutput

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # json.dumps would make one for each line


class PlansJob(NamedTuple):
    """Some shards that follow one another.

    Attributes:
      index_path: the file of `records.ingest.database`, with all pictures resolved.
      target: whose ids the tokens are: "captions" or "tags".
      files: the shards' names.
      first: position of the first example of the first shard.
      counts: examples of each shard.
    """

    index_path: str
    records_dir: str
    split: str
    target: str
    files: Sequence[str]
    first: bytes
    counts: Sequence[int]


def loaded() -> None:
    """Does nothing: to import this module has loaded what plans and shards take."""


def write_plans(job: PlansJob, vocabulary: Vocabulary) -> dict[str, str]:
    """Writes the plan of each shard; its hash by the shard's name."""
    result = {}
    with contextlib.closing(sqlite3.connect(job.index_path)) as db:
        examples = planned(db, job.split, job.first)
        for file, count in zip(job.files, job.counts, strict=True):
            path = plan_path(job.records_dir, file)
            with AtomicOutput(path, os.fspath(staging_dir(job.records_dir))) as out:
                for example in itertools.islice(examples, count):
                    targets = (found if job.target == "captions" else tagged for _, found, tagged in example.captions)
                    tokens = [[*vocabulary.ids(text.split()), END] for text in targets]
                    out.write(plan_line(example, tokens).encode())
            result[file] = out.sha256()
    return result


def plan_line(example: Planned, tokens: list[list[int]]) -> str:
    """One line of a plan; `tokens` has one list per caption, each ending with 1."""
    return _encode({
        "key": example.key, "height": example.height, "width": example.width,
        "file_crc32c": example.file_crc32c, "reencode": example.reencode,
        "captions": [caption for caption, _, _ in example.captions],
        "tags": [tags for _, _, tags in example.captions], "tokens": tokens,
    }) + "\n"
