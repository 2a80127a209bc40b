"""Tars and Parquet files with photos inside: read as they are written by others, resumed, told apart."""

import gzip
import io
import json
import subprocess
import sys
import tarfile

import pytest

from flags.errors import UserError
from records.sources import BadRow, open_source
from tests.records.inputs import PHOTOS, contents, make, write_photos


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def read(captions, images, **options):
    rows = list(open_source(captions, "auto", str(images), **options))
    return ([row for row in rows if not isinstance(row, BadRow)],
            [(row.where, row.reason) for row in rows if isinstance(row, BadRow)])


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    return [(folder / name).read_bytes() for name in write_photos(folder, 40)]


def shards(folder, photos, count=4):
    """img2dataset's: .jpg, .txt and .json of each photo."""
    each = len(photos) // count
    for shard in range(count):
        write_tar(folder / f"{shard:05d}.tar", [
            member for i in range(shard * each, (shard + 1) * each) for member in (
                (f"{i:09d}.jpg", photos[i]), (f"{i:09d}.json", json.dumps({"caption": "from json", "key": f"{i:09d}"})),
                (f"{i:09d}.txt", f"a dog runs number {i} on grass\nin two lines"))])
    return f"webdataset:{folder}/{{00000..{count - 1:05d}}}.tar"


def test_members_of_one_name_are_one_example(tmp_path, photos):
    write_tar(tmp_path / "train-0.tar", [
        ("a.jpg", photos[0]), ("a.txt", "A dog\non grass."), ("a.json", '{"caption": "other"}'),
        ("x/b.seg.png", photos[1]), ("x/b.json", '{"captions": ["One cat.", "Two cats."], "url": "http://e/c.jpg"}'),
        ("c.webp", photos[2]), ("c.cls", "17"), ("d.jpg", photos[3]), ("e.txt", "no photo"),
        ("../f.jpg", photos[4]), ("../f.txt", "outside"), ("g.jpg", photos[5]), ("g.json", "{broken"),
        ("a.jpg", photos[6]), ("a.txt", "again"), ("__url__", "no example")])
    rows, bad = read(f"webdataset:{tmp_path}/*.tar", tmp_path / "out")
    assert [(row.image, row.caption, row.keywords, row.split) for row in rows] == [
        ("train-0/a.jpg", "A dog on grass.", None, "train"), ("train-0/x/b.png", "One cat.", None, "train"),
        ("train-0/x/b.png", "Two cats.", None, "train"), ("train-0/c.webp", "17", ("17",), "train")]
    assert (tmp_path / "out" / rows[0].image).read_bytes() == photos[0]
    assert [(where, reason.partition(":")[0]) for where, reason in bad] == [
        ("train-0.tar:d", "image has no caption"), ("train-0.tar:e", "example has no photo"),
        ("train-0.tar:../f", "image name leads outside --images"), ("train-0.tar:g", "text is no JSON"),
        ("train-0.tar:a", "image name is used by an earlier example of the split")]
    assert not (tmp_path / "f.jpg").exists()


def test_a_tar_that_was_cut_gives_what_is_whole(tmp_path, photos):
    captions = shards(tmp_path, photos[:8], 2)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(whole[:len(whole) // 2 + 700])
    rows, bad = read(captions, tmp_path / "out")
    assert len(rows) >= 5
    assert any(reason.startswith("tar is damaged or cut short") for _, reason in bad)


def test_gzip_and_ranges(tmp_path, photos):
    write_tar(tmp_path / "a.tar", [("1.jpg", photos[0]), ("1.txt", "A dog.")])
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes()))
    assert [row.image for row in read(f"webdataset:{tmp_path}/b.tar.gz", tmp_path / "out")[0]] == ["b/1.jpg"]
    with pytest.raises(UserError, match=r"c00\.tar does not exist \(3 of 3 are missing\)"):
        read(f"webdataset:{tmp_path}/c{{00..02}}.tar", tmp_path)
    with pytest.raises(UserError, match="there is no such file"):
        read(f"webdataset:{tmp_path}/z*.tar", tmp_path)


_KILLED = """
import os, signal, sys
from records.sources.spool import Spool
from tests.records.inputs import make
left, store = [int(sys.argv[1])], Spool.store
def deadly(*arguments):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return store(*arguments)
Spool.store = deadly
make("", sys.argv[2], sys.argv[3], split_fractions="train=0.8,validation=0.2", shards="train=3,validation=1")
"""


@pytest.mark.parametrize("kills", [[3, 25], pytest.param([1, 2, 5, 9, 14, 20, 26, 33, 39, 40], marks=pytest.mark.slow)])
def test_records_of_tars_are_the_same_bytes_after_kills(tmp_path, photos, kills):
    captions = shards(tmp_path, photos)
    flags = {"split_fractions": "train=0.8,validation=0.2", "shards": "train=3,validation=1"}
    for kill in kills:
        arguments = [str(kill), captions, str(tmp_path / "killed")]
        assert subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False).returncode == -9
    killed = make("", captions, tmp_path / "killed", **flags)
    assert contents(killed) == contents(make("", captions, tmp_path / "whole", **flags))
    assert not list(tmp_path.glob("killed/.make_records*"))


def test_another_content_of_the_same_name_is_told(tmp_path, photos):
    captions = shards(tmp_path, photos)
    records = make("", captions, tmp_path / "records", split_fractions="train=1.0")
    write_tar(tmp_path / "00001.tar", [("1.jpg", photos[0]), ("1.txt", "Another dog.")])
    with pytest.raises(UserError, match="--captions"):
        make("", captions, records, split_fractions="train=1.0")


@pytest.fixture
def write_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")

    def write(name, columns, metadata=None):
        table = pyarrow.table(columns)
        parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / name)
        return f"parquet:{tmp_path}/{name}"

    return write


def test_hugging_face_files_with_photos_inside(tmp_path, photos, write_parquet):
    captions = write_parquet("train-00000-of-00001.parquet", {
        "image": [{"bytes": data, "path": "same.jpg"} for data in photos[:3]],
        "caption": [["A dog.", "Two dogs."], ["A cat."], []], "image_id": [1, 2, 3]})
    rows, bad = read(captions, tmp_path / "out")
    folder = "train-00000-of-00001"
    assert [(row.image, row.caption, row.split) for row in rows] == [
        (f"{folder}/00000000-same.jpg", "A dog.", "train"), (f"{folder}/00000000-same.jpg", "Two dogs.", "train"),
        (f"{folder}/00000001-same.jpg", "A cat.", "train")]
    assert (tmp_path / "out" / rows[2].image).read_bytes() == photos[1]
    assert bad == [("train-00000-of-00001.parquet:2", "caption is empty")]
    records = make(tmp_path / "kept", captions, tmp_path / "records")
    assert contents(make("", captions, tmp_path / "again")) == contents(records)


def test_bytes_paths_and_class_names(tmp_path, photos, write_parquet):
    features = {"info": {"features": {"label": {"names": ["cat", "traffic light"], "_type": "ClassLabel"}}}}
    rows, _ = read(write_parquet("a.parquet", {"img": photos[:2], "label": [1, 0]},
                                 {"huggingface": json.dumps(features)}), tmp_path / "out")
    assert [(row.image, row.keywords) for row in rows] == [
        ("a/00000000.jpg", ("traffic light",)), ("a/00000001.jpg", ("cat",))]
    rows, bad = read(write_parquet("b.parquet", {"file_name": [PHOTOS[0].name, "../x.jpg"], "text": ["A dog.", "B c"]}),
                     PHOTOS[0].parent)
    assert [(row.image, row.caption) for row in rows] == [(PHOTOS[0].name, "A dog.")]
    assert bad[0][1].startswith("image name leads outside")


def test_parquet_that_cannot_be_used_is_one_line(tmp_path, write_parquet):
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no such thing")
    with pytest.raises(UserError, match="no.parquet cannot be read"):
        read(f"parquet:{tmp_path}/no.parquet", tmp_path)
    with pytest.raises(UserError, match="has no column of captions or tags; .* found image, size"):
        read(write_parquet("c.parquet", {"image": [b"x"], "size": [3]}), tmp_path)


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'pyarrow>=17', or this package with its extra \[parquet\]"):
        read(f"parquet:{tmp_path}/a.parquet", tmp_path)
