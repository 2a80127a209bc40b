import dataclasses
import re

from tagger.reporting.data import load
from tagger.reporting.overview import overview
from tagger.training import history
from tests.tagger.reporting.runs import write
from tests.tagger.reporting.test_page import text_of


def test_every_run_has_its_row_and_its_curve_with_the_flags_that_differ(tmp_path):
    good, other = load(write(tmp_path / "good")), load(write(tmp_path / "other", bleu_4=17.0))
    other = dataclasses.replace(other, config=dataclasses.replace(other.config, dropout=0.125), evaluations=[],
                                history=[history.Epoch(1, 3.0, 2.25, 0.001)])
    new = dataclasses.replace(other, history=[], throughput=[], folder=tmp_path / "new")
    html = overview("runs", [good, other, new], ["broken"])
    text = text_of(html)
    for expected in ("3 runs, the latest first", "--dropout", "good 2.750 1 of 2 1 min 01 s", "0.125",
                     "new – no epoch yet", "On test: 2 photos", "18.9", "not readable as runs: broken"):
        assert expected in text, expected
    assert "Not all learnt from the same records" not in text
    assert "--seed" not in text  # which is the same in all
    assert re.search(r'class="best"[^>]*>2\.250', html)  # the best validation loss, of a run without eval
    curves = re.findall(r'<polyline class="line (c\d) d0"', html)
    assert curves == ["c0", "c1"]  # the run without an epoch has none


def test_scores_on_few_photos_or_on_others_are_told_apart_from_scores(tmp_path):
    few, again, many = (load(write(tmp_path / name, images=images))
                        for name, images in (("few", 2), ("again", 2), ("many", 200)))
    assert "below a hundred" not in text_of(overview("runs", [many], [])).lower()
    same, other = (text_of(overview("runs", [few, run], [])) for run in (again, many))
    assert "Below a hundred photos scores mean little" in same and "on the same photos" not in same
    assert "On test: 2 to 200 photos" in other and "Not all were scored on the same photos" in other


def test_runs_of_captions_and_of_tags_are_not_in_one_table(tmp_path):
    run, of_tags = load(write(tmp_path / "captions")), load(write(tmp_path / "tags", target="tags"))
    html = overview("runs", [run, dataclasses.replace(of_tags, manifest=dataclasses.replace(run.manifest, seed=1))], [])
    assert html.count("On test: 2 photos") == 2
    assert "Not all learnt from the same records" in html and 'class="best"' not in html
