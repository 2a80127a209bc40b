import os
import subprocess
import sys

import pytest
from etils import epath

from flags.errors import UserError
from tagger.saved_model import arithmetic
from tagger.saved_model.versions import newest, next_version, versions


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


def test_the_newest_in_one_precision(tmp_path):
    for name, precision in (("1", "mixed_bfloat16"), ("2", "float32"), ("3", "float32")):
        saved_model(tmp_path / name)
        arithmetic.write(tmp_path / name, precision)
    assert newest(tmp_path, "mixed_bfloat16").name == "1" and newest(tmp_path, "float32").name == "3"
    with pytest.raises(UserError, match="--precision=mixed_bfloat16: no version in --export_dir=.*/2 was exported"):
        newest(tmp_path / "2", "mixed_bfloat16")


def test_no_folder_and_no_model_are_told_apart(tmp_path):
    assert versions(tmp_path / "nowhere") == []
    with pytest.raises(UserError, match="no such folder"):
        newest(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no SavedModel"):
        newest(tmp_path)


def test_a_version_gets_its_number_when_it_is_whole_whoever_else_writes_one(tmp_path):
    """A process that exports meanwhile is first, and a file has the number after."""
    saved_model(tmp_path / "1")
    (tmp_path / "3").write_text("a file")
    other = ("import sys; from etils import epath; from tagger.saved_model.versions import next_version\n"
             "with next_version(epath.Path(sys.argv[1])) as (folder, publish):\n"
             "    folder.mkdir(); (folder / 'other').touch(); print(publish())")
    with next_version(epath.Path(tmp_path)) as (folder, publish):
        saved_model(folder)
        assert not folder.name.isdecimal()
        assert subprocess.run([sys.executable, "-c", other, tmp_path], capture_output=True, check=True).stdout == b"2\n"
        assert folder.exists() and publish() == 4
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "3", "4"]
    assert (tmp_path / "2" / "other").exists() and (tmp_path / "4" / "saved_model.pb").exists()


def test_what_is_not_whole_is_removed_at_once_or_by_the_next_export(tmp_path):
    with pytest.raises(ValueError), next_version(epath.Path(tmp_path)) as (folder, _):
        saved_model(folder)
        raise ValueError
    assert os.listdir(tmp_path) == []
    killed = ("import os, sys; from etils import epath; from tagger.saved_model.versions import next_version\n"
              "with next_version(epath.Path(sys.argv[1])) as (folder, _):\n"
              "    folder.mkdir(); os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", killed, tmp_path], check=False)
    assert len(os.listdir(tmp_path)) == 1
    with next_version(epath.Path(tmp_path)):
        assert os.listdir(tmp_path) == []
