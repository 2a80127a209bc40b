"""The sixth pipeline: the plan of every shard, from the files that its examples lie in."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from records.beam.examples import Placed
from records.beam.work_folder import WorkFolder
from records.ingest.planned import PlannedExample
from records.ingest.shard_plan import write_plan
from records.ingest.targets import Targets
from records.text.tag_vocabulary import TagRules, TagVocabulary
from records.text.vocabulary import Vocabulary

PLANS = "plan"


class PlanTask(NamedTuple):
    """One shard.

    Attributes:
      parts: the files with its examples, and from which to which of theirs.
    """

    file: str
    parts: tuple[tuple[str, int, int], ...]


@dataclasses.dataclass(frozen=True)
class PlansJob:
    """What a worker has to know.

    Attributes:
      vocabularies: the folder that Targets.save wrote to, a new one for new vocabularies.
    """

    work: WorkFolder
    records_dir: str
    vocabularies: str
    target: str
    rules: TagRules


@functools.lru_cache(maxsize=1)
def _targets(job: PlansJob) -> Targets:
    return Targets(job.target, Vocabulary.load(job.vocabularies), TagVocabulary.load(job.vocabularies), job.rules)


def write(task: PlanTask, job: PlansJob) -> Iterator[tuple[int, Any]]:
    """Writes the plan of a shard; the summary of the file plan-SHARD is its hash."""
    sha256 = write_plan(job.records_dir, task.file, _examples(task, job.work), _targets(job))
    job.work.put(f"{PLANS}-{task.file}", None, sha256)
    yield from ()


def _examples(task: PlanTask, work: WorkFolder) -> Iterator[PlannedExample]:
    for name, start, end in task.parts:
        placed: Placed
        for placed in itertools.islice(work.get(name), start, end):
            yield placed.example
