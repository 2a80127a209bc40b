"""The limit on rejected rows."""

from collections import Counter

import pytest

from flags.errors import UserError
from records.ingest.rejections import MISSING, NO_SPLIT, REPEATED, check_limit, kind, limit


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
    with pytest.raises(UserError, match=r"t.csv:2: gone \(and so for 3 more rows\); check --images"):
        check_limit(None, 10, Counter({MISSING: 4}), {MISSING: "t.csv:2: gone"})
