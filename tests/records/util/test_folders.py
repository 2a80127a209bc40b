import pytest

from flags.errors import UserError
from records.util.folders import make_folder


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
