import pytest

from flags.errors import UserError
from records.util.folders import make_folder, missing_folders, new_folder, remove_if_empty


def test_folders_above_are_made_and_one_that_is_there_is_kept(tmp_path):
    folder = make_folder(tmp_path / "a" / "b", "run_dir")
    (folder / "file").touch()
    assert [path.name for path in make_folder(folder, "run_dir").iterdir()] == ["file"]


def test_a_file_in_its_place_or_above_it_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"--run_dir={tmp_path}/file: is a file; give a folder"):
        make_folder(tmp_path / "file", "run_dir")
    with pytest.raises(UserError, match="--run_dir=.*/file/a: cannot be made"):
        make_folder(tmp_path / "file" / "a", "run_dir")


def test_what_was_made_for_nothing_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError), new_folder(tmp_path / "there" / "a" / "b", "export_dir"):
        raise ValueError
    assert list(tmp_path.iterdir()) == [tmp_path / "there"] and not list((tmp_path / "there").iterdir())
    with pytest.raises(ValueError), new_folder(tmp_path / "there", "export_dir"):
        raise ValueError
    assert (tmp_path / "there").exists()
    with pytest.raises(ValueError), new_folder(tmp_path / "used" / "a", "export_dir") as folder:
        (folder.parent / "file").touch()
        raise ValueError
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["file"]


def test_folders_elsewhere_are_left_alone():
    assert missing_folders("gs://bucket/a") == []
    remove_if_empty([])
