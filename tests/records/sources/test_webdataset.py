"""Tars with photos inside: read as they are written by others, resumed."""

import subprocess
import sys

import pytest

from tests.records.inputs import contents, make
from tests.records.sources.archives import read, shards, write_tar


def test_members_of_one_name_are_one_example(tmp_path, small_photos):
    write_tar(tmp_path / "train-0.tar", [
        ("a.jpg", small_photos[0]), ("a.txt", "A dog\non grass."), ("a.json", '{"caption": "other"}'),
        ("x/b.seg.png", small_photos[1]), ("x/b.json", '{"captions": ["One cat.", "Two cats."], "url": "http://e/c.jpg"}'),
        ("c.webp", small_photos[2]), ("c.cls", "17"), ("d.jpg", small_photos[3]), ("e.txt", "no photo"),
        ("../f.jpg", small_photos[4]), ("../f.txt", "outside"), ("g.jpg", small_photos[5]), ("g.json", "{broken"),
        ("a.jpg", small_photos[6]), ("a.txt", "again"), ("__url__", "no example")])
    rows, bad = read(f"webdataset:{tmp_path}/*.tar", tmp_path / "out")
    assert [(row.image, row.caption, row.keywords, row.split) for row in rows] == [
        ("train-0/a.jpg", "A dog on grass.", None, "train"), ("train-0/x/b.png", "One cat.", None, "train"),
        ("train-0/x/b.png", "Two cats.", None, "train"), ("train-0/c.webp", "17", ("17",), "train")]
    assert (tmp_path / "out" / rows[0].image).read_bytes() == small_photos[0]
    assert [(where, reason.partition(":")[0]) for where, reason in bad] == [
        ("train-0.tar:d", "image has no caption"), ("train-0.tar:e", "example has no photo"),
        ("train-0.tar:../f", "image name leads outside --images"), ("train-0.tar:g", "text is no JSON"),
        ("train-0.tar:a", "image name is used by an earlier example of the split")]
    assert not (tmp_path / "f.jpg").exists()


def test_a_tar_that_was_cut_gives_what_is_whole(tmp_path, small_photos):
    captions = shards(tmp_path, small_photos[:8], 2)
    whole = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(whole[:len(whole) // 2 + 700])
    rows, bad = read(captions, tmp_path / "out")
    assert len(rows) >= 5
    assert any(reason.startswith("tar is damaged or cut short") for _, reason in bad)


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
def test_records_of_tars_are_the_same_bytes_after_kills(tmp_path, small_photos, kills):
    captions = shards(tmp_path, small_photos)
    flags = {"split_fractions": "train=0.8,validation=0.2", "shards": "train=3,validation=1"}
    for kill in kills:
        arguments = [str(kill), captions, str(tmp_path / "killed")]
        assert subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False).returncode == -9
    killed = make("", captions, tmp_path / "killed", **flags)
    assert contents(killed) == contents(make("", captions, tmp_path / "whole", **flags))
    assert not list(tmp_path.glob("killed/.make_records*"))
