"""Receipts of finished shards, by which an interrupted run is resumed: a shard that has one is not written again.

    receipts.finished(job)             None: the shard is to be written
    receipts.save_receipt(job, receipt)
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Protocol

from etils import epath

from records.format.manifest import ShardInfo
from records.util.atomic_files import write_atomic


@dataclasses.dataclass(frozen=True)
class Receipt:
    """What is known of a shard that was written.

    Attributes:
      max_tokens: tokens of its longest caption.
    """

    plan_sha256: str
    max_tokens: int
    shard: ShardInfo


class Job(Protocol):
    """A shard to write, whatever it is made of."""

    @property
    def records_dir(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def plan_sha256(self) -> str:
        """Of what the shard is a function of, beside the backbone."""

    @property
    def receipt(self) -> epath.Path: ...


def finished(job: Job) -> Receipt | None:
    """The receipt of an earlier run of the same job, when its shard is still there."""
    try:
        body = json.loads(job.receipt.read_text())
        receipt = Receipt(body["plan_sha256"], body["max_tokens"], ShardInfo(**body["shard"]))
        size = (epath.Path(job.records_dir) / job.file).stat().length
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return receipt if receipt.plan_sha256 == job.plan_sha256 and receipt.shard.bytes == size else None


def save_receipt(job: Job, receipt: Receipt) -> None:
    """Notes that a shard is written, for `finished`."""
    job.receipt.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(job.receipt, json.dumps(dataclasses.asdict(receipt)))


def totals(receipts: Iterable[Receipt]) -> tuple[int, int, int]:
    """Sums of examples, captions and tokens."""
    shards = [receipt.shard for receipt in receipts]
    return sum(s.examples for s in shards), sum(s.captions for s in shards), sum(s.tokens for s in shards)
