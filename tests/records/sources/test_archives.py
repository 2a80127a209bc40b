"""Which files --captions=webdataset:… names; what is made of them is the same wherever photos lie, and after kills."""

import gzip
import os
import subprocess
import sys

import pytest

from flags.errors import UserError
from records.sources.archives import parts_of, splits_of
from tests.records.inputs import contents, make
from tests.records.sources.archives import shards, write_parquet, write_tar
from tests.records.sources.rows import read


def test_gzip_and_ranges(tmp_path, small_photos):
    write_tar(tmp_path / "a.tar", [("1.jpg", small_photos[0]), ("1.txt", "A dog.")])
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    assert [row.image for row in read(f"webdataset:{tmp_path}/b.tar.gz", tmp_path / "out")[0]] == ["b/1.jpg"]
    with pytest.raises(UserError, match=r"c00\.tar does not exist \(3 of 3 are missing\)"):
        read(f"webdataset:{tmp_path}/c{{00..02}}.tar", tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        read(f"webdataset:{tmp_path}/z*.tar", tmp_path)


def test_another_content_of_the_same_name_is_told(tmp_path, small_photos):
    captions = shards(tmp_path, small_photos)
    records = make("", captions, tmp_path / "records", split_fractions="train=1.0")
    write_tar(tmp_path / "00001.tar", [("1.jpg", small_photos[0]), ("1.txt", "Another dog.")])
    with pytest.raises(UserError, match="--captions"):
        make("", captions, records, split_fractions="train=1.0")


def test_folders_and_splits_by_the_names_of_files():
    assert parts_of(["x/a.tar", "x/b.tar.gz"]) == ["a", "b"]
    assert len(set(parts_of(["x/a.tar", "y/a.tar"]))) == 2
    assert splits_of(["x/train-00000-of-00002.parquet", "x/00000.tar", "val/1.tar", "my_test/1.tar", "/dev/stdin"]) == [
        "train", None, "validation", None, None]
    assert splits_of(["cc3m_train/1.tar", "cc3m_val/1.tar"]) == ["train", "validation"]


def test_several_are_named_as_tables_are(tmp_path, small_photos):
    for name in ("a-00", "a-01", "b", "train-0", "val-0"):
        write_tar(tmp_path / f"{name}.tar", [("1.jpg", small_photos[0]), ("1.txt", "A dog.")])
    for captions, parts in ((f"webdataset:{tmp_path}/a-{{00..01}}.tar,{tmp_path}/b.tar", ["a-00", "a-01", "b"]),
                            (f"webdataset:{tmp_path}/b.tar,webdataset:{tmp_path}/a-*.tar", ["b", "a-00", "a-01"]),
                            (f"webdataset:{tmp_path}/{{train,val}}-0.tar", ["train-0", "val-0"])):
        assert [row.image.partition("/")[0] for row in read(captions, tmp_path)[0]] == parts
    os.mkfifo(tmp_path / "pipe.tar")
    for captions, reason in ((f"webdataset:{tmp_path}/b.tar,{tmp_path}/*b.tar", "named twice"),
                             (f"webdataset:{tmp_path}/b.tar,tfds:coco", "is read alone"),
                             ("webdataset:https://example.org/1.tar", "download it"),
                             ("webdataset:pipe:curl x", "download it"),
                             (f"webdataset:{tmp_path}", r"is a folder: name its files, as with \*.tar"),
                             (f"webdataset:{tmp_path}/pipe.tar", "is no regular file, .* write it to a file first")):
        with pytest.raises(UserError, match=reason):
            read(captions, tmp_path)


def test_photos_are_read_where_they_lie_and_written_where_images_says(tmp_path, small_photos):
    captions = shards(tmp_path, small_photos[:4], 2)
    records = make("", captions, tmp_path / "records", split_fractions="train=1.0")
    again = make(tmp_path / "photos", captions, tmp_path / "again", split_fractions="train=1.0")
    assert contents(records) == contents(again)
    assert [path.read_bytes() for path in sorted((tmp_path / "photos").rglob("*.jpg"))] == small_photos[:4]


_KILLED = """
import os, signal, sys
from records.ingest import scan_worker
from records.sources.spool import PartNames
from records.writing import shard_writer
from tests.records.inputs import contents, make
left = [int(sys.argv[1])]
def deadly(function):
    def counted(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return counted
PartNames.name = deadly(PartNames.name)
scan_worker._check_one = deadly(scan_worker._check_one)
shard_writer._example = deadly(shard_writer._example)
make("", sys.argv[2], sys.argv[3], split_fractions="train=0.8,validation=0.2", shards="train=3,validation=1")
"""


# Of 40 photos: while rows are read (up to 40), photos checked (up to 80), and shards written.
@pytest.mark.parametrize("form,kills", [
    ("tar", [25, 60]), *[pytest.param(form, [1, 20, 40, 41, 17, 39, 41, 11, 11, 2], marks=pytest.mark.slow)
                             for form in ("tar", "tar.gz", "parquet")]])
def test_records_are_the_same_bytes_after_kills(tmp_path, small_photos, form, kills):
    captions = (write_parquet(tmp_path / "a.parquet", small_photos) if form == "parquet" else
                shards(tmp_path, small_photos))
    if form == "tar.gz":
        for path in sorted(tmp_path.glob("*.tar")):
            path.with_suffix(".tar.gz").write_bytes(gzip.compress(path.read_bytes()))
        captions = f"webdataset:{tmp_path}/*.tar.gz"
    flags = {"split_fractions": "train=0.8,validation=0.2", "shards": "train=3,validation=1"}
    for kill in kills:
        arguments = [str(kill), captions, str(tmp_path / "killed")]
        assert subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False).returncode == -9
    killed = make("", captions, tmp_path / "killed", **flags)
    assert contents(killed) == contents(make("", captions, tmp_path / "whole", **flags))
    assert not list(tmp_path.glob("killed/.make_records*"))
