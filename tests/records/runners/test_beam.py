"""--runner=beam: the same bytes as the local runner's."""

import hashlib
import shutil
import sys

import pytest

from flags.errors import UserError
from records.format import layout
from records.runners.beam import write_or_say_why
from records.writing.shard_writer import ShardJob
from tests.records.inputs import contents, make, write_captions, write_photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beam")
    names = write_photos(folder / "images", 24)
    return folder / "images", write_captions(folder / "captions.csv", names)


def test_two_processes_write_the_bytes_of_the_local_runner(photos, tmp_path, main_process):
    pytest.importorskip("apache_beam")
    local = make(*photos, tmp_path / "local", shards="train=4", name="photos")
    result = main_process(
        "--mode=make_records", f"--images={photos[0]}", f"--captions={photos[1]}", f"--records_dir={tmp_path / 'beam'}",
        "--backbone=none", "--name=photos", "--shards=train=4", "--runner=beam",
        "--beam_args=--direct_num_workers=2 --direct_running_mode=multi_processing")
    assert result.returncode == 0, result.stderr
    assert contents(tmp_path / "beam") == contents(local)


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


def test_a_worker_says_why_a_shard_could_not_be_written(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    images = shutil.copytree(photos[0], tmp_path / "images")
    with pytest.raises(UserError, match="needs Apache Beam"):
        make(images, photos[1], tmp_path / "r", runner="beam")
    (plan,) = (tmp_path / "r" / layout.STAGING_DIR / "plans").glob("*-train*")
    shutil.copy(images / "photo_0001.jpg", images / "photo_0000.jpg")
    sha256 = hashlib.sha256(plan.read_bytes()).hexdigest()
    job = ShardJob(str(tmp_path / "r"), plan.stem, sha256, str(images), True, None)
    write_or_say_why(job)
    assert "'photo_0000.jpg' was good when it was checked" in job.failure.read_text()
    assert not (tmp_path / "r" / plan.stem).exists()
