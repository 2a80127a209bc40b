import os

import pytest

from flags.errors import UserError
from tagger.tagging import names
from tagger.tagging.names import Others, find_names, in_order, left_out, read_names, write_names


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.JPG", "deep/er/c.png", "notes.txt", "deep/d.gif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_a_pattern_and_a_photo(folder):
    photos = [str(folder / name) for name in ("a.JPG", "b.jpg", "deep/d.gif", "deep/er/c.png")]
    assert sorted(find_names(str(folder))) == photos
    assert list(find_names(str(folder / "**" / "*.png"))) == photos[3:]
    assert list(find_names(photos[1])) == photos[1:2]


def test_files_of_a_folder_that_are_no_photos_are_counted(folder):
    others = Others()
    assert left_out(others) == ""
    for name in ("b.jpg.xmp", "e.HEIC", "deep/f.heic", "README"):
        (folder / name).write_bytes(b"")
    (folder / "linked").symlink_to(folder / "deep")
    assert len(list(find_names(str(folder), others))) == 4
    line = left_out(others)
    assert line.startswith("left out of the folder: 5 files whose name ends otherwise than a photo's (.jpg, ")
    assert line.endswith("): 2 .heic, 1 .txt, 1 linked folder, 1 without or with another ending")


def test_a_list_of_any_bytes_that_are_paths(folder):
    (folder / "list").write_bytes(b"one.jpg\r\n\nlatin-\xe9.jpg\nno newline at the end")
    latin = os.fsdecode(b"latin-\xe9.jpg")
    assert list(find_names(str(folder / "list"))) == ["one.jpg", latin, "no newline at the end"]


def test_what_is_none_of_these(folder):
    with pytest.raises(UserError, match="no such folder, list or photo"):
        find_names(str(folder / "nowhere"))
    (folder / "zero").write_bytes(b"a.jpg\n\0.jpg\n")
    with pytest.raises(UserError, match="zero, line 2: holds a zero byte"):
        list(find_names(str(folder / "zero")))
    os.mkfifo(folder / "pipe")
    with pytest.raises(UserError, match="is a named pipe"):
        list(find_names(str(folder / "pipe")))


@pytest.mark.parametrize("run", [1, 7, 1000])
def test_names_in_order_each_once_whatever_fits_into_memory(tmp_path, monkeypatch, run):
    monkeypatch.setattr(names, "_RUN", run)
    given = [f"{(number * 7919) % 101}\n\udce9" for number in range(300)]
    assert list(in_order(given, str(tmp_path))) == sorted(set(given))


def test_names_survive_a_file(tmp_path):
    given = ["plain", "line\nbreak", os.fsdecode(b"\xff"), "ü", '"quoted\\']
    write_names(str(tmp_path / "names"), given)
    assert read_names(str(tmp_path / "names")) == given
