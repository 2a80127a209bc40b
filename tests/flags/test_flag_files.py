"""Flag files become arguments, and only those that the mode knows."""

import json

import pytest

from flags import flag_files
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
