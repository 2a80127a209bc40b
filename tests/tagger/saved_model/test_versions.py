import pytest

from flags.errors import UserError
from tagger.saved_model.versions import newest, versions


def saved_model(folder):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()


def test_the_highest_number_is_the_newest(tmp_path):
    for name in ("1", "9", "10"):
        saved_model(tmp_path / name)
    assert versions(tmp_path) == [1, 9, 10]
    assert newest(tmp_path).name == "10"


def test_other_folders_are_no_versions(tmp_path):
    saved_model(tmp_path / "2")
    saved_model(tmp_path / "unfinished-3")
    (tmp_path / "4").write_text("a file")
    assert versions(tmp_path) == [2]
    assert newest(tmp_path).name == "2"


def test_one_version_can_be_named(tmp_path):
    saved_model(tmp_path / "1")
    saved_model(tmp_path / "2")
    assert newest(tmp_path / "1") == tmp_path / "1"


def test_no_folder_and_no_model_are_told_apart(tmp_path):
    assert versions(tmp_path / "nowhere") == []
    with pytest.raises(UserError, match="no such folder"):
        newest(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no SavedModel"):
        newest(tmp_path)
