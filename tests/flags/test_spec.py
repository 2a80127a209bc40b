"""Dataclasses as flags."""

import dataclasses
import pathlib

import numpy as np
import pytest
from absl import flags as absl_flags

from flags.errors import UserError
from flags.modes import MODES
from flags.spec import Flags, define, flag, pairs, positional, read


@dataclasses.dataclass(frozen=True)
class Example(Flags):
    folder: str = flag(help="Where.", path=True)
    count: int = flag(3, "How many.", at_least=1)
    rate: float = flag(0.5, "How fast.", above=0, at_most=2)
    fresh: bool = flag(False, "Start over.")
    precision: str = flag("auto", "Which.", choices=("auto", "float32"))
    names: tuple[str, ...] = flag((), "Several.")
    limit: int | None = flag(None, "At the most.", at_least=0)
    share: float = flag(0.0, "How much.", at_least=0, below=1)
    others: tuple[str, ...] = flag((), "Where else.", path=True)
    files: tuple[str, ...] = positional("FILE", "What.", path=True)


def _parse(*arguments):
    values = absl_flags.FlagValues()
    define(Example, values)
    return read(Example, values, values(["main.py", *arguments])[1:])


def test_flags_become_the_dataclass_with_its_types():
    assert _parse("--folder=x", "--count=7", "--rate=2", "--fresh", "--precision=float32", "--names=a,b", "--limit=0",
                  "one.jpg", "two.jpg") == Example(
        folder="x", count=7, rate=2.0, fresh=True, precision="float32", names=("a", "b"), limit=0,
        files=("one.jpg", "two.jpg"))


def test_defaults_are_those_of_the_dataclass():
    assert _parse("--folder=x") == Example(folder="x")


def test_a_missing_required_flag_is_named():
    with pytest.raises(UserError, match="--folder is required"):
        _parse()


def test_a_value_outside_the_choices_is_refused():
    with pytest.raises(absl_flags.IllegalFlagValueError, match="precision"):
        _parse("--folder=x", "--precision=float8")


@pytest.mark.parametrize("flags, message", [
    ({"count": 0}, "--count=0: expected at least 1"), ({"limit": -1}, "--limit=-1: expected at least 0"),
    ({"rate": 0.0}, "--rate=0.0: expected more than 0 and at most 2"), ({"rate": 2.5}, "--rate=2.5: expected more"),
    ({"share": 1.0}, "--share=1.0: expected at least 0 and below 1"), ({"share": float("nan")}, "--share=nan: "),
    ({"precision": "float8"}, "--precision=float8: expected one of auto, float32")])
def test_a_value_out_of_bounds_is_refused_wherever_it_comes_from(flags, message):
    with pytest.raises(UserError, match=message):
        Example(folder="x", **flags)
    with pytest.raises(UserError, match=message):
        dataclasses.replace(Example(folder="x"), **flags)
    if "precision" not in flags:  # those, absl refuses
        with pytest.raises(UserError, match=message):
            _parse("--folder=x", *(f"--{name}={value}" for name, value in flags.items()))


@pytest.mark.parametrize(("flags", "message"), [
    ({"count": "ten"}, "--count='ten': expected a whole number"), ({"count": 2.5}, "--count=2.5: expected a whole"),
    ({"count": None}, "--count=None: expected a whole"), ({"count": True}, "--count=True: expected a whole"),
    ({"rate": "1"}, "--rate='1': expected a number"), ({"fresh": "false"}, "--fresh='false': expected True or False"),
    ({"folder": 3}, "--folder=3: expected text"), ({"names": "a,b"}, "--names='a,b': expected several texts"),
    ({"limit": "0"}, "--limit='0': expected a whole number"), ({"precision": 16}, "--precision=16: expected text")])
def test_from_python_a_value_of_another_type_is_refused(flags, message):
    with pytest.raises(UserError, match=message):
        Example(**{"folder": "x", **flags})


def test_lists_and_numbers_of_numpy_are_taken():
    assert Example(folder="x", names=["a"], rate=1, count=np.int64(3)).names == ("a",)


@pytest.mark.parametrize(("argument", "message"), [("--count=ten", "--count=ten: expected a whole number"),
                                                   ("--rate=fast", "--rate=fast: expected a number")])
def test_what_is_no_number_is_said_in_plain_words(argument, message):
    with pytest.raises(absl_flags.IllegalFlagValueError, match=message):
        _parse("--folder=x", argument)


def test_bounds_themselves_are_inside():
    assert Example(folder="x", count=1, rate=2.0, share=0.0, limit=0).rate == 2.0
    assert _parse("--folder=x", "--limit=0").limit == 0 and Example(folder="x").limit is None


def test_home_folders_are_expanded_in_paths_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    found = _parse("--folder=~/data", "--others=~,a~b", "--names=~/x", "~/one.jpg")
    assert (found.folder, found.others, found.names, found.files) == (
        "/home/me/data", ("/home/me", "a~b"), ("~/x",), ("/home/me/one.jpg",))
    assert Example(folder=pathlib.Path("~/data")).folder == "/home/me/data"
    assert pairs("train=~/train.txt,test=t~", "split_lists") == {"train": "/home/me/train.txt", "test": "t~"}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_checks_its_flags_and_says_which_are_paths(mode):
    config = MODES[mode].load_flags()
    assert issubclass(config, Flags)
    words = ("dir", "file", "path", "images", "sheet", "output", "weights", "ensemble", "init_from")
    unsaid = [field.name for field in dataclasses.fields(config) if field.type in (str, tuple[str, ...])
              and field.name.rpartition("_")[2] in words and not field.metadata["path"]]
    assert unsaid == []


def test_pairs_keep_their_order():
    assert list(pairs("train=16, test=2", "shards").items()) == [("train", "16"), ("test", "2")]
    assert pairs("", "shards") == {}


@pytest.mark.parametrize("text", ["train", "train=", "=3", "train=1,train=2"])
def test_bad_pairs_name_their_flag(text):
    with pytest.raises(UserError, match="--shards"):
        pairs(text, "shards")
