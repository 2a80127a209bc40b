"""Flag files become arguments, and only those that the mode knows."""

import json

import pytest

from flags import flag_files
from flags.errors import UserError
from flags.eval import Eval
from flags.make_records import MakeRecords
from flags.tag import Tag
from flags.train import Train
from flags.verify_records import VerifyRecords


@pytest.mark.parametrize("value, text", [
    (True, "--x=True"), (("a,b", "c"), '--x="a,b",c'), ((), "--x="), (0.5, "--x=0.5")])
def test_values_of_every_type_come_back_from_config_json(tmp_path, value, text):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"format": 1, "x": value, "unset": None}))
    assert flag_files.split([f"--flagfile={path}"]) == ([text], [])


def test_arguments_and_lines_are_told_apart_in_both_spellings(tmp_path):
    path = tmp_path / "job.flags"
    path.write_text("# a job\n--epochs=3\n\n--nofresh\n")
    for spelling in ([f"--flagfile={path}"], ["--flagfile", str(path)]):
        assert flag_files.split(["--mode=train", *spelling, "a.jpg"]) == (
            ["--epochs=3", "--nofresh"], ["--mode=train", "a.jpg"])


def test_lines_of_other_modes_go_and_unknown_ones_stay():
    lines = ["--records_dir=r", "--epochs=3", "--nofresh", "--nosuch=1"]
    assert flag_files.of_mode(lines, VerifyRecords) == ["--records_dir=r", "--nosuch=1"]
    assert flag_files.of_mode(lines, Train) == lines


@pytest.mark.parametrize("config_class", [Eval, Tag])
def test_the_batch_of_a_training_is_not_that_of_eval_and_tag(config_class):
    job = ["--batch_size=4096", "--learning_rate=8e-3", "--export_dir=e", "--run_dir=r"]
    assert not [line for line in flag_files.of_mode(job, config_class) if "batch_size" in line]
    assert flag_files.of_training(job, config_class) == ["--batch_size=4096"]
    assert flag_files.of_training(job, config_class, ["--batch_size=64"]) == []
    assert flag_files.of_training(job, Train) == [] and "--batch_size=4096" in flag_files.of_mode(job, Train)
    own = ["--batch_size=64", "--run_dir=r"]  # of no training
    assert "--batch_size=64" in flag_files.of_mode(own, config_class) and not flag_files.of_training(own, config_class)


@pytest.mark.parametrize("line, argument", [
    ("--epochs=3  # three are enough", "--epochs=3"), ("--records_dir data/a b", "--records_dir=data/a b"),
    ("-epochs\t3", "-epochs=3"), ("--epochs = 3", "--epochs=3"), ("  --nofresh # again", "--nofresh"),
    ("--captions=photos#2.csv", "--captions=photos#2.csv"), ("--beam_args=--a=1 --b=2", "--beam_args=--a=1 --b=2")])
def test_spaces_and_comments_in_a_line(tmp_path, line, argument):
    path = tmp_path / "job.flags"
    path.write_text(f"\ufeff# a job\n// of two lines\n{line}\n")
    assert flag_files.split([f"--flagfile={path}"]) == ([argument], [])


def test_a_flag_file_may_name_others_but_not_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "outer.flags").write_text("--epochs=3\n--flagfile ~/inner.flags  # the data\n--nofresh\n")
    (tmp_path / "inner.flags").write_text("--records_dir=r\n")
    assert flag_files.split(["--flagfile=~/outer.flags"])[0] == ["--epochs=3", "--records_dir=r", "--nofresh"]
    (tmp_path / "inner.flags").write_text("--flagfile=~/outer.flags\n")
    with pytest.raises(UserError, match=r"outer.flags: names itself by way of .*inner.flags; remove one"):
        flag_files.split(["--flagfile=~/outer.flags"])


def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    for name in ("photo.jpg", "nowhere.flags"):
        with pytest.raises(UserError, match=f"{name}: cannot be read .*; give a text file with one flag a line"):
            flag_files.split([f"--flagfile={tmp_path / name}"])


@pytest.mark.parametrize("spelling", [["--captions=c.csv"], ["--captions", "c.csv"]])
def test_the_command_line_wins_over_a_repeatable_flag(spelling):
    lines = ["--captions=a.csv", "--captions=b.csv", "--seed=1"]
    assert flag_files.of_mode(lines, MakeRecords) == lines
    assert flag_files.of_mode(lines, MakeRecords, spelling) == ["--seed=1"]
