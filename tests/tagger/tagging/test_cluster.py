"""Bulk tagging with --runner=beam: the files of this machine alone."""

import pytest

from benchmarks.dask_cluster import dask_cluster
from flags.errors import UserError
from flags.tag import Tag
from tagger.tag import run
from tests.records.beam import in_process
from tests.records.inputs import PHOTOS
from tests.tagger.tagging.test_bulk import contents, rows, tag


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in PHOTOS[:10]:
        (folder / photo.name).symlink_to(photo)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    return folder


def test_what_a_cluster_does_not_write_is_said_first(tmp_path, monkeypatch):
    in_process.install(monkeypatch)
    flags = {"export_dir": "nowhere", "images": "nowhere", "output": str(tmp_path / "tags")}
    with pytest.raises(UserError, match="--write_xmp with --runner=beam: only --runner=local writes side-cars"):
        run(Tag(runner="beam", write_xmp=True, **flags))


@pytest.mark.slow
def test_a_cluster_writes_the_same_files(demo, photos, tmp_path, monkeypatch):
    in_process.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert tag(demo, "photos", "here", shard_size=4) == tag(demo, "photos", "cluster", shard_size=4, runner="beam") == 0
    here, cluster = rows("here"), rows("cluster")
    assert cluster == here and len(here) == 11 and sum("error" in row for row in here) == 1


@pytest.mark.slow
def test_records_are_tagged_by_their_features(demo, tmp_path, monkeypatch):
    in_process.install(monkeypatch)
    records = demo[0] / "records"
    assert tag(demo, records, tmp_path / "here") == tag(demo, records, tmp_path / "cluster", runner="beam") == 0
    assert contents(tmp_path / "cluster") == contents(tmp_path / "here")


@pytest.mark.slow
def test_a_dask_cluster_writes_the_same_files(demo, photos, tmp_path):
    pytest.importorskip("distributed")
    with dask_cluster(tmp_path, 2) as (beam_args, _):
        assert tag(demo, photos, tmp_path / "cluster", shard_size=3, runner="beam", beam_args=beam_args) == 0
    assert tag(demo, photos, tmp_path / "here", shard_size=3) == 0
    assert rows(tmp_path / "cluster") == rows(tmp_path / "here")
