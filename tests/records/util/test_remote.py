"""Records on object storage: every path goes through etils, here with fsspec's in-memory store as s3://."""

import dataclasses

import fsspec
import pytest
from etils import epath
from etils.epath import gpath
from fsspec.implementations.memory import MemoryFileSystem

from records.format import manifest as manifests
from records.make_records import run
from records.verify_records import problems
from tests.records.beam import in_process
from tests.records.inputs import MakeRecords, contents, make, write_captions, write_photos


class MemoryAsS3(MemoryFileSystem):
    """The store of one process under the s3:// scheme."""

    protocol = "s3"
    store: dict = {}
    pseudo_dirs = [""]


@pytest.fixture(autouse=True)
def s3(monkeypatch):
    monkeypatch.setenv("EPATH_USE_TF", "false")  # etils prefers TensorFlow's file systems, which have no s3://
    gpath._is_tf_installed.cache_clear()  # another test of this process may have asked before
    registered = fsspec.registry.get("s3")
    fsspec.register_implementation("s3", MemoryAsS3, clobber=True)
    yield
    if registered:
        fsspec.register_implementation("s3", registered, clobber=True)
    gpath._is_tf_installed.cache_clear()


def test_records_made_from_and_on_object_storage_are_the_local_ones(tmp_path, monkeypatch):
    names = write_photos(tmp_path / "images", 20)
    table = write_captions(tmp_path / "captions.csv", names)
    local = make(tmp_path / "images", table, tmp_path / "r", shards="train=2")
    for name in names:
        target = epath.Path("s3://bucket/images") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tmp_path / "images" / name).read_bytes())
    (epath.Path("s3://bucket") / "captions.csv").write_bytes(table.read_bytes())
    flags = MakeRecords(images="s3://bucket/images", captions="s3://bucket/captions.csv", workers=1,
                        records_dir="s3://bucket/r", backbone="none", name="photos", shards="train=2")
    run(flags)
    remote = epath.Path("s3://bucket/r")
    for path in remote.iterdir():
        (tmp_path / "copy").mkdir(exist_ok=True)
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    assert contents(tmp_path / "copy") == contents(local)
    in_process.install(monkeypatch)
    monkeypatch.setattr("records.beam.plan._LEAST_PIECE_BYTES", 500)
    run(dataclasses.replace(flags, records_dir="s3://bucket/cluster", runner="beam"))
    assert {path.name: path.read_bytes() for path in epath.Path("s3://bucket/cluster").iterdir()} == {
        path.name: path.read_bytes() for path in remote.iterdir()}
    assert problems("s3://bucket/r") == []
    run(flags)  # finished: nothing to do
    manifests.check_sizes("s3://bucket/r", manifests.load("s3://bucket/r"))
    shard = remote / "photos-train.tfrecord-00001-of-00002"
    shard.write_bytes(shard.read_bytes()[:-1])
    (problem,) = problems("s3://bucket/r")
    assert "photos-train.tfrecord-00001-of-00002: has" in problem
