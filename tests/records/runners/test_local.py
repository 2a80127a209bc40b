"""--runner=local: the same bytes and receipts in this process and in workers, in the jobs' order."""

import dataclasses
import os
import time

import pytest

from records.runners import local
from records.util import gpus
from records.util.process_pool import Workers
from records.writing.shard_writer import BackboneJob
from tests.records.inputs import DEMO, contents, write_photos
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


def visible_gpu(folder):
    """What this process sees, once another one has told what it sees."""
    name = os.environ["CUDA_VISIBLE_DEVICES"]
    (folder / name).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        os.sched_yield()
    return name


def test_each_process_sees_one_gpu(tmp_path):
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with Workers() as workers:
        seen = workers.map(visible_gpu, [tmp_path] * 2, 2, [gpus.environment(name) for name in ("1", "GPU-89")])
        assert sorted(seen) == ["1", "GPU-89"]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


@pytest.mark.slow
def test_a_process_a_gpu_writes_what_one_process_writes(tmp_path):
    write_photos(tmp_path / "images", 10)
    backbone = BackboneJob("mobilenet_v2", str(DEMO / "mobilenet_v2_notop_float16.weights.h5"), "float32")
    written = {}
    for names in ((), ("0",), ("0", "1")):  # where there is no such GPU, each process computes on the CPU
        jobs = [dataclasses.replace(job, backbone=backbone)
                for job in shard_jobs(tmp_path / "images", tmp_path / f"{len(names)}", 5)]
        with Workers() as workers:
            receipts = list(local.write_shards(jobs, 10, workers, 0, lambda count: None, names))
            assert workers.running == (2 if len(names) == 2 else 0)
        written[len(names)] = receipts, contents(tmp_path / f"{len(names)}")
    assert written[0] == written[1] == written[2]
