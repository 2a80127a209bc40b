"""--runner=beam with Apache Beam itself: the bytes of the local runner, in processes and on a cluster."""

import shutil
import sys
import threading
import time

import pytest

from benchmarks.dask_cluster import dask_cluster
from flags.errors import UserError
from records.runners.beam import write_shard, write_shards
from records.writing import shard_writer
from tests.records.beam import in_process
from tests.records.beam_inputs import write_inputs, write_keywords
from tests.records.inputs import contents, make, write_captions, write_photos
from tests.records.jobs import shard_jobs


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beam")
    names = write_photos(folder / "images", 24)
    return folder / "images", write_captions(folder / "captions.csv", names)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return write_inputs(tmp_path_factory.mktemp("inputs"), 60)


def small_parts(monkeypatch):
    monkeypatch.setattr("records.beam.plan._LEAST_PIECE_BYTES", 2000)
    monkeypatch.setattr("records.beam.plan._LEAST_BUCKET_BYTES", 1000)


def test_two_processes_make_the_bytes_of_the_local_runner(inputs, tmp_path, main_process):
    pytest.importorskip("apache_beam")
    flags = {"shards": "train=4", "max_rejected": "50%", "min_count": 2}
    local = make(*inputs, tmp_path / "local", **flags)
    result = main_process(
        "--mode=make_records", f"--images={inputs[0]}", f"--captions={inputs[1]}", f"--records_dir={tmp_path / 'beam'}",
        "--backbone=none", "--name=photos", "--runner=beam", *(f"--{name}={value}" for name, value in flags.items()),
        "--beam_args=--direct_num_workers=2 --direct_running_mode=multi_processing")
    assert result.returncode == 0, result.stderr
    assert contents(tmp_path / "beam") == contents(local)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_the_bytes_of_the_local_runner(inputs, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    small_parts(monkeypatch)
    local = make(*inputs, tmp_path / "local", shards="train=9", max_rejected="50%")
    with dask_cluster(tmp_path, 3) as (beam_args, workers):
        killed = []

        def kill() -> None:
            """Ends a worker as soon as the cluster has looked at some of the photos."""
            while len(list((tmp_path / "cluster").glob(".make_records/cluster-*/photos-*.json"))) < 2:
                time.sleep(0.01)
            workers[0].kill()
            killed.append(workers[0].wait())

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        cluster = make(*inputs, tmp_path / "cluster", runner="beam", beam_args=beam_args, shards="train=9",
                       max_rejected="50%")
        killer.join(10)
        assert killed and contents(cluster) == contents(local)
        keywords = write_keywords(tmp_path / "keywords", 40, " ")  # on the two workers that are left
        cluster = make(*keywords, tmp_path / "tags", runner="beam", beam_args=beam_args)
        assert contents(cluster) == contents(make(*keywords, tmp_path / "local_tags"))


def test_options_that_cannot_work_are_explained(photos, tmp_path):
    pytest.importorskip("apache_beam")
    for arguments in ("--runner=NoSuchRunner", "--direct_num_workers=many", "'unclosed"):
        with pytest.raises(UserError, match="--runner=beam|--beam_args"):
            make(*photos, tmp_path / "r", runner="beam", beam_args=arguments)
    make(*photos, tmp_path / "r")  # the runner shapes no bytes: another may go on


def test_without_beam_the_extra_is_named(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"--runner=beam needs Apache Beam: install .* its extra \[beam\]"):
        make(*photos, tmp_path / "r", runner="beam")


def test_shards_are_written_once_and_what_changed_is_said(photos, tmp_path, monkeypatch):
    in_process.install(monkeypatch)
    images = shutil.copytree(photos[0], tmp_path / "images")
    jobs = shard_jobs(images, tmp_path / "r", 3)
    receipts = list(write_shards(jobs, ""))
    assert [receipt.shard.file for receipt in receipts] == [job.file for job in jobs]
    monkeypatch.setattr(shard_writer, "write_shard", None)  # they are there
    assert list(write_shards(jobs, "")) == receipts and list(write_shards([], "")) == []
    monkeypatch.undo()
    jobs[0].receipt.unlink()
    shutil.copy(images / "photo_0001.jpg", images / "photo_0000.jpg")
    with pytest.raises(UserError, match="'photo_0000.jpg' was good when it was checked"):
        list(write_shard(jobs[0]))
