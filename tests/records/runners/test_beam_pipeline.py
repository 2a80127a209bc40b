"""Pipelines of Apache Beam: steps and groups, and what is said when a step fails."""

import pathlib

import pytest

from flags.errors import UserError
from records.runners.beam_pipeline import Watch, run


def letters(word):
    for letter in word:
        yield ord(letter), (word, 1)


def count(letter, values, folder):
    if letter == ord("!"):
        raise UserError("--words: no letter")
    pathlib.Path(folder, f"{letter}.txt").write_text(str(sum(number for _, number in values)))
    yield from ()


class Count:
    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, letter, values):
        return count(letter, values, self.folder)


def test_values_meet_by_their_number_and_a_fault_is_one_line(tmp_path, capsys):
    pytest.importorskip("apache_beam")
    watch = Watch("letters", "files", 3, lambda: len(list(tmp_path.glob("*.txt"))))
    run("", ["dog", "god"], [letters, Count(tmp_path)], tmp_path, watch)
    assert {path.name: path.read_text() for path in tmp_path.glob("*.txt")} == {
        f"{ord(letter)}.txt": "2" for letter in "dog"}
    assert "letters: 3 files" in capsys.readouterr().err
    with pytest.raises(UserError, match="^--words: no letter$"):
        run("", ["a!"], [letters, Count(tmp_path)], tmp_path)
    run("", ["b"], [letters, Count(tmp_path)], tmp_path)  # an earlier fault is forgotten
