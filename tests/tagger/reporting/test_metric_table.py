import re

from tagger.reporting.metric_table import is_shown, metric_table
from tests.tagger.reporting.test_page import text_of


def test_columns_that_some_row_has_and_the_best_of_each():
    html = metric_table([("a", {"loss": 2.5, "cider": 40.0}), ("b", {"loss": 2.0, "cider": None})], "captions")
    assert text_of(html) == "run loss CIDEr-D a 2.500 40.0 b 2.000 –"
    assert re.findall(r'class="best">([\d.]+)', html) == ["2.000"]  # one value alone is not the best of several


def test_differences_are_of_the_first_row_to_the_second():
    html = text_of(metric_table([("a", {"loss": 2.5}), ("b", {"loss": 2.0}), ("c", {"loss": 9.0})], "captions",
                                differences=True))
    assert html.replace("+ ", "+") == "run loss a 2.500 + 0.500 b 2.000 c 9.000".replace("+ ", "+")


def test_scores_of_sentences_are_not_shown_of_tags():
    assert is_shown("cider", "captions") and not is_shown("cider", "tags") and is_shown("tag_f1", "tags")
