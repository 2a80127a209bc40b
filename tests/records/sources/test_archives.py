"""Which files an archive of several stands for, and when their content is another."""

import gzip

import pytest

from flags.errors import UserError
from records.sources.archives import parts_of, split_of
from tests.records.inputs import make
from tests.records.sources.archives import read, shards, write_tar


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
    assert split_of("x/train-00000-of-00002.parquet") == "train" and split_of("x/00000.tar") is None
