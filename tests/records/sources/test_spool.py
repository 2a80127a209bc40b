import os

import pytest

from records.sources.base import BadField
from records.sources.spool import Spool


def test_a_photo_is_written_once_and_mended(tmp_path):
    assert Spool(str(tmp_path), "train").store("a/dog.jpg", b"photo") == "train/a/dog.jpg"
    path = tmp_path / "train" / "a" / "dog.jpg"
    os.utime(path, (1, 1))
    Spool(str(tmp_path), "train").store("a/dog.jpg", b"photo")
    assert path.stat().st_mtime == 1
    Spool(str(tmp_path), "train").store("a/dog.jpg", b"other")
    assert path.read_bytes() == b"other" and os.listdir(path.parent) == ["dog.jpg"]


def test_a_name_without_a_suffix_gets_that_of_its_bytes(tmp_path):
    spool = Spool(str(tmp_path), "p")
    assert spool.store("a", b"\x89PNG\r\n") == "p/a.png"
    assert spool.store("b", b"\xff\xd8\xff") == "p/b.jpg" and spool.store("c", b"?") == "p/c.img"


def test_two_photos_of_one_name_and_names_that_lead_out(tmp_path):
    spool = Spool(str(tmp_path / "images"), "p")
    spool.store("a.jpg", b"1")
    with pytest.raises(BadField, match="used by an earlier example"):
        spool.store("a.jpg", b"2")
    with pytest.raises(BadField):
        spool.store("../../a.jpg", b"3")
    assert (tmp_path / "images" / "p" / "a.jpg").read_bytes() == b"1" and os.listdir(tmp_path) == ["images"]
