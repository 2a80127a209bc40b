"""The limit on rejected rows."""

from collections import Counter

import pytest

from flags.errors import UserError
from records.ingest.rejections import (
    CASE,
    MISSING,
    NO_SPLIT,
    OUTSIDE_LINK,
    REPEATED,
    check_limit,
    check_usable,
    kind,
    limit,
    notes,
)


@pytest.mark.parametrize(("text", "rows", "most"), [
    ("5%", 1000, 50), ("0%", 1000, 0), ("100%", 7, 7), ("0.5%", 1000, 5), ("12", 1000, 12), (None, 5, None)])
def test_a_limit_is_a_share_or_a_number(text, rows, most):
    assert limit(text, rows) == most


@pytest.mark.parametrize("text", ["", "x", "-1", "101%", "1.5", "5 percent", "nan"])
def test_anything_else_is_refused(text):
    with pytest.raises(UserError, match="--max_rejected=.*expected a share such as 5%"):
        limit(text, 100)


def test_a_kind_is_what_stands_before_the_colon():
    assert kind("caption has no words: '!!! : ?'") == "caption has no words"


def test_rows_left_out_by_choice_do_not_count():
    harmless = Counter({NO_SPLIT: 500, REPEATED: 300})
    check_limit("0", 1000, harmless, {})
    check_limit(None, 1000, harmless, {})
    with pytest.raises(UserError, match="1 of 1,000 rows cannot be used, mostly 1 with: JPEG data is corrupt"):
        check_limit("0", 1000, harmless + Counter({"JPEG data is corrupt": 1}), {"JPEG data is corrupt": "t.csv:3: x"})


def test_without_a_limit_only_photos_that_do_not_exist_stop_a_run():
    check_limit(None, 10, Counter({"JPEG data is corrupt": 9}), {})
    with pytest.raises(UserError, match=r"t.csv:2: gone \(and so for 3 more rows\); check --images, or pass "
                                        "--max_rejected=4 or a share such as 5%"):
        check_limit(None, 10, Counter({MISSING: 4}), {MISSING: "t.csv:2: gone"})
    for hint in (f"'a.jpg' is there, {CASE}", "did you mean 'a.jpg'?"):
        with pytest.raises(UserError, match="; correct the name in the table, or pass --max_rejected=1 "):
            check_limit(None, 10, Counter({MISSING: 1}), {MISSING: f"t.csv:2: {MISSING}: 'A.jpg'; {hint}"})


FIRST = {MISSING: f"t.csv:2: {MISSING}: 'a.jpg'", "caption is empty": "t.csv:7: caption is empty",
         OUTSIDE_LINK: f"t.csv:3: {OUTSIDE_LINK}: 'b.jpg'", REPEATED: f"t.csv:9: {REPEATED}: t.csv:8",
         "x": "t.csv:4: x: y"}


def test_when_nothing_can_be_used_the_most_frequent_reasons_are_named():
    with pytest.raises(UserError) as error:
        check_usable(10, Counter({MISSING: 6, "caption is empty": 2, OUTSIDE_LINK: 1, "x": 1}), FIRST, {}, "")
    assert str(error.value) == (
        "no usable caption: all 10 rows are left out: 6 rows like t.csv:2: photo does not exist: 'a.jpg' (check "
        "--images); 2 rows like t.csv:7: caption is empty (is another column the caption? docs/data.md lists the names "
        "of columns); 1 row like t.csv:3: photo is a link that leads outside --images: 'b.jpg' (--follow_links takes "
        "photos that are links out of it); 1 for other reasons")


def test_when_no_photo_is_there_no_limit_is_advised():
    with pytest.raises(UserError) as error:
        check_usable(10, Counter({MISSING: 10}), FIRST, {}, "")
    assert str(error.value) == (
        "all 10 rows name photos that are not in --images, first t.csv:2: photo does not exist: 'a.jpg'; give --images "
        "the folder that the table's names start from")
    first = {MISSING: f"t.csv:2: {MISSING}: 'A.jpg'; 'a.jpg' is there, {CASE}"}
    with pytest.raises(UserError, match="first t.csv:2: .*mind upper and lower case; correct the names in the table"):
        check_usable(1, Counter({MISSING: 1}), first, {}, "")


@pytest.mark.parametrize(("flag", "named"), [
    ("", "validation has 3, test has 1; the table's own splits name no train"),
    ("split_fractions", "give train a share in --split_fractions"), ("split_lists", "with names of the table")])
def test_when_train_is_empty_the_other_splits_are_named(flag, named):
    with pytest.raises(UserError, match=f"the train split is empty: of the photos.*{named}"):
        check_usable(10, Counter(), {}, {"validation": 3, "test": 1}, flag)
    check_usable(10, Counter({MISSING: 9}), FIRST, {"train": 1}, flag)


def test_a_run_that_loses_more_than_half_says_why():
    assert notes(10, Counter({REPEATED: 5}), FIRST) == []
    (note,) = notes(10, Counter({REPEATED: 6}), FIRST)
    assert note.startswith("more than half of the rows are left out, 6 of 10: 6 rows like t.csv:9: caption repeats")
    (note,) = notes(10, Counter({OUTSIDE_LINK: 1}), FIRST)
    assert note.endswith("--follow_links takes photos that are links out of it")
