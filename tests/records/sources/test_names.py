import unicodedata

import pytest

from records.sources.names import FileNames, folder_of, has_image_suffix


@pytest.mark.parametrize(("name", "file"), [
    ("1000268201_693b08cb0e", "1000268201_693b08cb0e.jpg"), ("391895", "000000391895.jpg"),
    ("391895.0", "000000391895.jpg"), ("285", "COCO_val2014_000000000285.jpg"), ("a.jpg#3", "a.jpg"),
    ("part/b", "part/b.PNG"), (unicodedata.normalize("NFC", "café.jpg"), unicodedata.normalize("NFD", "café.jpg"))])
def test_a_name_is_completed_to_the_file_that_is_there(tmp_path, name, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert FileNames(str(tmp_path)).complete(name) == file


def test_a_name_without_a_file_or_a_folder_stays(tmp_path):
    assert FileNames(str(tmp_path)).complete("missing") == "missing"
    assert FileNames("").complete("391895") == "391895"


def test_photos_in_a_folder_of_the_folder(tmp_path):
    (tmp_path / "train2017").mkdir()
    (tmp_path / "train2017" / "000000000009.jpg").touch()
    assert folder_of(["absent.jpg", "9"], str(tmp_path), "train2017") == "train2017"
    assert folder_of(["absent.jpg"], str(tmp_path), "train2017") == folder_of(["9"], str(tmp_path), "val2017") == ""
    names = FileNames(str(tmp_path), "train2017")
    assert names.complete("9") == "train2017/000000000009.jpg"
    assert names.complete("later.jpg") == "train2017/later.jpg"


def test_suffixes():
    assert all(map(has_image_suffix, ("a.JPG", " b.webp ", "c.jpeg#4")))
    assert not any(map(has_image_suffix, ("a", "a.txt", "a.jpg.txt", 7, None)))
