import os

import pytest

from flags.errors import UserError
from tagger.evaluation import files
from tagger.reporting.data import compared, has_runs, load, neighbours, runs_in
from tests.tagger.reporting.runs import METRICS, ROWS, write


def test_what_is_in_a_run_folder(tmp_path):
    run = load(write(tmp_path / "a"))
    assert (run.name, run.config.dropout, run.best.epoch, len(run.history)) == ("a", 0.25, 1, 2)
    (evaluation,) = run.evaluations
    assert (evaluation.split, evaluation.metrics) == ("test", METRICS)
    assert evaluation.predictions() == ROWS
    assert evaluation.picture("contact_sheet.png") is None
    (evaluation.folder / "contact_sheet.png").write_bytes(b"png")
    assert evaluation.picture("contact_sheet.png") == b"png"


@pytest.mark.parametrize(("metrics", "said"), [
    ({"images": 0}, "it.images is 0"), ({"ranking": "beauty"}, "it.ranking is"), ({"cider": "much"}, "it.cider is"),
    ({"target": 3}, "it.target is 3"), ({"beam_width": None}, "it.beam_width is None"),
    ({"average_precision_tags": "ten"}, "it.average_precision_tags is"),
    ({"captions_without_words": -1}, "it.captions_without_words is")])
def test_metrics_that_eval_does_not_write(tmp_path, metrics, said):
    with pytest.raises(UserError, match=f"metrics.json: {said}.*; run eval again"):
        load(write(tmp_path / "a", **metrics))


def test_predictions_that_do_not_fit(tmp_path):
    run = load(write(tmp_path / "a"))
    path = run.evaluations[0].folder / files.PREDICTIONS
    lines = path.read_text().splitlines(keepends=True)
    for text, said in ((lines[0], "has 1 lines, metrics.json is of 2 photos"),
                       (lines[0] + "{}\n", ":2: the line lacks"),
                       (lines[0] + lines[1].replace('"cider"', '"other"'), ":2: it has no cider")):
        path.write_text(text)
        with pytest.raises(UserError, match=said):
            run.evaluations[0].predictions()
    path.unlink()
    assert run.evaluations[0].predictions() == []


def test_runs_beside_it_the_latest_first_and_those_that_cannot_be_read(tmp_path):
    for number, name in enumerate("abc"):
        folder = write(tmp_path / name)
        for path in (folder / "config.json", folder / "history.csv", folder / "eval-test" / files.METRICS):
            os.utime(path, (1e9 + number, 1e9 + number))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    found, unreadable = neighbours(load(tmp_path / "a"), 5)
    assert [run.name for run in found] == ["c", "b"] and unreadable == ["broken"]
    assert [run.name for run in compared(load(tmp_path / "a"), ("1",))[0]] == ["c"]
    assert compared(load(tmp_path / "a"), ("0",)) == ([], [])
    assert [run.name for run in compared(load(tmp_path / "a"), (str(tmp_path / "b"),))[0]] == ["b"]
    with pytest.raises(UserError, match="--compare=.*nowhere: no such folder.*; expected a number of runs"):
        compared(load(tmp_path / "a"), (str(tmp_path / "nowhere"),))


def test_the_runs_of_a_folder(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    runs, unreadable = runs_in(tmp_path)
    assert {run.name for run in runs} == {"one", "two"} and unreadable == ["broken"]
    assert [run.name for run in runs_in(tmp_path, but="one")[0]] == ["two"]
    assert has_runs(tmp_path) and not has_runs(tmp_path / "one") and not has_runs(tmp_path / "nowhere")
