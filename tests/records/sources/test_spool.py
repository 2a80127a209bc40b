import os
import pathlib

import pytest

from records.images.extents import read_extent
from records.sources.base import BadField
from records.sources.spool import Pack, PartNames, Spool


def test_a_photo_is_written_once_and_mended(tmp_path):
    assert Spool(str(tmp_path), "train").store("a/dog.jpg", b"photo") == "train/a/dog.jpg"
    path = tmp_path / "train" / "a" / "dog.jpg"
    os.utime(path, (1, 1))
    Spool(str(tmp_path), "train").store("a/dog.jpg", b"photo")
    assert path.stat().st_mtime == 1
    Spool(str(tmp_path), "train").store("a/dog.jpg", b"other")
    assert path.read_bytes() == b"other" and os.listdir(path.parent) == ["dog.jpg"]


def test_a_link_at_a_photo_s_place_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "images" / "p").mkdir(parents=True)
    (tmp_path / "images" / "p" / "a.jpg").symlink_to(tmp_path / "precious")
    Spool(str(tmp_path / "images"), "p").store("a.jpg", b"photo")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_name_without_a_suffix_gets_that_of_its_bytes():
    names = PartNames("p")
    assert names.name("a", b"\x89PNG\r\n") == "p/a.png"
    assert names.name("b", b"\xff\xd8\xff") == "p/b.jpg" and names.name("c", b"?") == "p/c.img"


def test_two_photos_of_one_name_and_names_that_lead_out(tmp_path):
    spool = Spool(str(tmp_path / "images"), "p")
    spool.store("a.jpg", b"1")
    with pytest.raises(BadField, match="used by an earlier example"):
        spool.store("a.jpg", b"2")
    with pytest.raises(BadField):
        spool.store("../../a.jpg", b"3")
    assert (tmp_path / "images" / "p" / "a.jpg").read_bytes() == b"1" and os.listdir(tmp_path) == ["images"]


def test_a_pack_is_one_file_and_made_with_its_first_photo(tmp_path):
    with Pack(str(tmp_path / "x"), "", "p"):
        pass
    assert not (tmp_path / "x").exists()
    for _ in range(2):  # a run that was killed begins again
        with Pack(str(tmp_path / "x"), "", "p") as pack:
            extents = [pack.add("p/1.jpg", data) for data in (b"one", b"", b"three")]
    assert list(map(read_extent, extents)) == [b"one", b"", b"three"]
    assert pathlib.Path(extents[0].file).read_bytes() == b"onethree"
