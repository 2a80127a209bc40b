from collections import Counter

import pytest

from flags.errors import UserError
from records.ingest.splits import Splitter, note_on_fractions, origin, way_to_fill, without_photos

KEYS = [f"photo_{index}.jpg" for index in range(10_000)]


def partition(fractions, seed=0, keys=KEYS):
    splitter = Splitter.from_flags("", fractions)
    return {key: splitter.split_of(key, None, seed) for key in keys}


def test_fractions_are_met():
    counts = Counter(partition("train=0.7,validation=0.2,test=0.1").values())
    assert abs(counts["train"] - 7000) < 150
    assert abs(counts["validation"] - 2000) < 150
    assert abs(counts["test"] - 1000) < 150


def test_default_is_80_10_10():
    splitter = Splitter.from_flags(None, "")
    counts = Counter(splitter.split_of(key, None, 0) for key in KEYS)
    assert set(counts) == {"train", "validation", "test"}
    assert abs(counts["train"] - 8000) < 150


def test_split_depends_on_the_name_and_the_seed_only():
    all_of_them = partition("train=0.85,validation=0.15")
    assert partition("train=0.85,validation=0.15", keys=KEYS[5000:]) == {key: all_of_them[key] for key in KEYS[5000:]}
    assert partition("validation=0.15,train=0.85") == all_of_them
    assert partition("train=0.85,validation=0.15", seed=1) != all_of_them


def test_a_known_assignment_never_changes():
    """Records made by an earlier version must be reproduced: these are fixed for ever."""
    splitter = Splitter()
    splits = [splitter.split_of(f"{number}.jpg", None, 0) for number in range(12)]
    assert splits == ["test", *["train"] * 5, "validation", *["train"] * 5]


def test_growing_train_moves_no_training_photo_out():
    before, after = partition("train=0.6,test=0.4"), partition("train=0.8,test=0.2")
    assert all(after[key] == "train" for key in KEYS if before[key] == "train")


def test_everything_in_one_split():
    assert set(partition("train=1,test=0").values()) == {"train"}


def test_the_tables_own_split_counts_unless_a_flag_says_otherwise():
    assert Splitter().split_of("a.jpg", "test", 0) == "test"
    assert Splitter.from_flags("", "train=1").split_of("a.jpg", "test", 0) == "train"


def test_splits_that_no_photo_came_into():
    assert without_photos("train=0.98,validation=0.01,test=0.01", "", {"train": 44, "validation": 1}) == ["test"]
    assert without_photos("train=1,test=0", "", {"train": 44}) == without_photos("", "train=a.txt", {"train": 4}) == []
    assert without_photos("", "", {"train": 3}) == ["validation", "test"]
    assert without_photos("", "", {"train": 100}) == []  # as the table says
    assert way_to_fill(["validation"]).startswith("train needs validation to tell its best epoch: add photos, draw")


def test_splits_of_the_table_that_are_missing_are_named_without_a_draw():
    empty = without_photos("", "", {"train": 3000, "validation": 400}, own_splits=True)
    assert empty == ["test"] and way_to_fill(empty, own_splits=True) == (
        "eval needs test, or another --split; the splits are the table's own")


def test_where_the_splits_come_from_is_said():
    assert origin("train=a.txt", "", 0, False, {}) == "splits: those of --split_lists"
    assert origin("", "train=1", 3, False, {}) == "splits: --split_fractions=train=1, by the photos' names and --seed=3"
    assert origin("", "", 0, True, {"dataset_coco.json": None}) == "splits: those that the table gives"
    both = {"captions_train2017.json": "train", "captions_val2017.json": "validation"}
    assert origin("", "", 0, True, both).endswith(
        "named after, captions_train2017.json: train, captions_val2017.json: validation")
    drawn = "splits: train=0.8,validation=0.1,test=0.1 by the photos' names and --seed=0, as the table gives none"
    assert origin("", "", 0, False, {"captions.csv": None}) == drawn
    assert origin("", "", 0, False, {"captions_train2017.json": "train"}).startswith(
        drawn + ". captions_train2017.json is one table alone, whose name is not taken for a split")


def test_what_came_out_of_fractions_is_said_where_it_is_far_from_them():
    (line,) = note_on_fractions("", {"train": 40, "validation": 4, "test": 1})
    assert line.startswith("of 45 photos, train has 40 (by its share 36), validation has 4 (by its share 4.5), test")
    assert "--split_lists gives exact numbers" in line
    assert note_on_fractions("train=0.9,test=0.1", {"train": 5}) == []  # half a photo is no difference
    many = {"train": 7060, "validation": 1980, "test": 960}
    assert note_on_fractions("train=0.7,validation=0.2,test=0.1", many) == []


def test_lists(tmp_path):
    (tmp_path / "train.txt").write_bytes("\ufeffa.jpg\r\n\r\n sub/b ü.jpg \r\n".encode())
    (tmp_path / "dev.txt").write_text("./c.jpg\na_copy.jpg\na_copy.jpg")
    splitter = Splitter.from_flags(f"train={tmp_path}/train.txt,dev={tmp_path}/dev.txt", "")
    assert splitter.split_of("a.jpg", "test", 0) == "train"
    assert splitter.split_of("sub/b ü.jpg", None, 0) == "train"
    assert splitter.split_of("c.jpg", None, 5) == "validation"
    assert splitter.split_of("unlisted.jpg", "train", 0) is None


@pytest.mark.parametrize(("lists", "fractions", "named"), [
    ("train=a", "train=1", "both given"),
    ("", "train=0.8", "sum to 0.8"),
    ("", "train=0.8,test=0.8", "sum to 1.6"),
    ("", "train=1.5,test=-0.5", "train=1.5"),
    ("", "train=most", "train=most"),
    ("", "train=nan", "train=nan"),
    ("", "train", "expected name=value"),
    ("", "validation=0.5,val=0.5", "validation is given twice"),
    ("", "../x=1", "split is no name"),
    ("train=no_such_file.txt", "", "no_such_file.txt"),
])
def test_wrong_flags_are_refused_in_one_line(lists, fractions, named):
    with pytest.raises(UserError) as error:
        Splitter.from_flags(lists, fractions)
    assert named in str(error.value)
    assert "--split" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("content", "named"), [
    (b"c.jpg\na.jpg\n", "two.txt:2: a.jpg is in the list of train too"),
    (b"\n \n", "names no image"),
    (b"caf\xe9.jpg", "not UTF-8"),
    (b"ok.jpg\n../../etc/passwd\n", "two.txt:2: image name leads outside --images"),
])
def test_wrong_lists_are_refused_in_one_line(tmp_path, content, named):
    (tmp_path / "one.txt").write_text("a.jpg\nb.jpg\n")
    (tmp_path / "two.txt").write_bytes(content)
    with pytest.raises(UserError) as error:
        Splitter.from_flags(f"train={tmp_path}/one.txt,test={tmp_path}/two.txt", "")
    assert named in str(error.value)
