"""Dataclasses as flags."""

import dataclasses

import pytest
from absl import flags as absl_flags

from flags.errors import UserError
from flags.spec import define, flag, pairs, positional, read


@dataclasses.dataclass(frozen=True)
class Example:
    folder: str = flag(help="Where.")
    count: int = flag(3, "How many.")
    rate: float = flag(0.5, "How fast.")
    fresh: bool = flag(False, "Start over.")
    precision: str = flag("auto", "Which.", choices=("auto", "float32"))
    names: tuple[str, ...] = flag((), "Several.")
    limit: int | None = flag(None, "At the most.")
    files: tuple[str, ...] = positional("FILE", "What.")


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


def test_pairs_keep_their_order():
    assert list(pairs("train=16, test=2", "shards").items()) == [("train", "16"), ("test", "2")]
    assert pairs("", "shards") == {}


@pytest.mark.parametrize("text", ["train", "train=", "=3", "train=1,train=2"])
def test_bad_pairs_name_their_flag(text):
    with pytest.raises(UserError, match="--shards"):
        pairs(text, "shards")
