"""By its receipt a shard is known to be finished, and by nothing else."""

import dataclasses

from records.writing.receipts import finished, totals
from records.writing.shard_writer import write_shard
from tests.records.inputs import write_photos
from tests.records.jobs import shard_jobs


def test_a_receipt_counts_for_its_own_plan_and_shard_alone(tmp_path):
    write_photos(tmp_path / "images", 6)
    (job,) = shard_jobs(tmp_path / "images", tmp_path / "r", 1)
    assert finished(job) is None
    receipt = write_shard(job)
    assert finished(job) == receipt and totals([receipt, receipt]) == (12, 24, 84)
    assert finished(dataclasses.replace(job, plan_sha256="0" * 64)) is None
    with open(tmp_path / "r" / job.file, "ab") as file:
        file.write(b"x")
    assert finished(job) is None
    (tmp_path / "r" / job.file).unlink()
    assert finished(job) is None
