"""--runner=local: the same bytes and receipts in this process and in workers, in the jobs' order."""

import pytest

from records.runners import local
from records.util.process_pool import Workers
from tests.records.inputs import contents, write_photos
from tests.records.jobs import shard_jobs


def test_workers_write_what_one_process_writes(tmp_path):
    write_photos(tmp_path / "images", 10)
    written = {}
    for count in (0, 2):
        jobs = shard_jobs(tmp_path / "images", tmp_path / f"{count}", 5)
        examples = []
        with Workers() as workers:
            workers.start(count, dict)
            receipts = list(local.write_shards(jobs, 10, workers, 0, examples.append))
        assert [receipt.shard.file for receipt in receipts] == [job.file for job in jobs]
        assert sum(examples) == 10
        written[count] = receipts, contents(tmp_path / f"{count}")
    assert written[0] == written[2] and len(written[0][1]) == 3 * 5  # plan, receipt and shard


def test_nothing_to_write_starts_nothing():
    with Workers() as workers:
        assert list(local.write_shards([], 0, workers, 0, pytest.fail)) == []
        assert workers.running == 0
