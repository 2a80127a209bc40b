import re

import pytest

from tagger.reporting.data import load
from tagger.reporting.page import Example, page
from tests.tagger.reporting.runs import write


def text_of(html):
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).split())


@pytest.fixture
def run(tmp_path):
    return load(write(tmp_path / "mine"))


def test_what_a_run_shows(run):
    rows = run.evaluations[0].predictions()
    examples = {"test": ([Example(rows[1], None, "cider")], [Example(rows[0], b"jpeg", "cider")])}
    html = page(run, [], ["broken"], examples, {"tensorflow": "2.21"})
    text = text_of(html)
    for expected in ("2.750 validation loss", "1 of 2 best epoch", "18.9 BLEU-4, 2 photos of test", "a dog", "One cat.",
                     "Only 2 photos: below a hundred",
                     "dog.jpg · CIDEr-D 61.5", "--dropout=0.25", "tensorflow 2.21",
                     "not readable as runs: broken", "resnet50"):
        assert expected in text, expected
    assert html.count("data:image/jpeg") == 1
    assert "mAP, 2 photos" not in text  # that metric was not computed


def test_the_best_of_each_metric_and_the_difference_to_the_next_run(run, tmp_path):
    other = load(write(tmp_path / "other", loss=2.25, bleu_4=17.0))
    html = page(run, [other], [], {}, {})
    assert re.search(r'class="best"[^>]*>\s*18\.9', html) and re.search(r'class="best"[^>]*>\s*2\.250', html)
    assert "+1.9" in text_of(html).replace("+ ", "+") and "other" in html


def test_of_tags_no_tile_speaks_of_captions(tmp_path):
    html = page(load(write(tmp_path / "a", target="tags")), [], [], {}, {})
    assert "0.333" in text_of(html)


def test_before_the_first_epoch(tmp_path):
    folder = write(tmp_path / "new")
    (folder / "history.csv").unlink()
    (folder / "throughput.csv").unlink()
    assert "No epoch has finished yet." in text_of(page(load(folder), [], [], {}, {}))
