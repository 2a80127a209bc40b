"""The page about a run: complete, self-contained, and honest about what is missing."""

import html.parser
import json
import os
import re
import shutil

import pytest

import main
from flags.errors import UserError
from records.format import manifest
from tagger import evaluate
from tagger.reporting import data as report_data
from tagger.reporting import page as report_page
from tagger.reporting.metric_table import OUTDATED
from tests.tagger.reporting import runs as written_runs


class Page(html.parser.HTMLParser):
    """Text, tags and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags, self.links, self._open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "link", "br", "line", "circle", "polyline"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("line", "circle", "polyline"):
            assert self._open.pop() == tag

    def handle_data(self, data):
        if not self._open or self._open[-1] != "style":
            self.words.append(data)


def write(folder, *flags):
    assert main.main(["main.py", "--mode=report", f"--run_dir={folder}", *flags]) == 0
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def runs(demo, tmp_path_factory):
    """A folder with the demo's run, evaluated, under two names."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(demo[0] / "run", folder / "first", ignore=shutil.ignore_patterns("eval-*"))
    config = evaluate.eval_flags.Eval(records_dir=str(demo[0] / "records"), run_dir=str(folder / "first"), split="test")
    evaluate.run(config)
    shutil.copytree(folder / "first", folder / "second <b>")
    return folder


@pytest.fixture(scope="module")
def page(runs):
    return write(runs / "first")


def test_the_page_needs_nothing_but_itself(page):
    links = Page(page).links
    assert links and all(link.startswith("data:image/") for link in links)
    assert "<script" not in page and "@import" not in page
    assert not re.search(r"url\(", page)


def test_it_shows_training_metrics_examples_and_configuration(runs, page):
    text = Page(page).text
    run = report_data.load(runs / "first")
    metrics = run.evaluations[0].metrics
    for expected in (f"{run.best.val_loss:.3f}", f"{metrics['bleu_4']:.1f}", f"{metrics['f1_at_5']:.3f}",
                     "Worst by CIDEr-D", "Best by CIDEr-D", "--mode=train", f"--records_dir={run.config.records_dir}",
                     "mobilenet_v2", "tensorflow", "learning rate", "words per second", "best, epoch"):
        assert expected in text, expected
    rows = run.evaluations[0].predictions()
    ordered = sorted(rows, key=lambda row: row["cider"])
    assert text.index(ordered[0]["image"]) < text.index(ordered[-1]["image"])
    assert page.count("data:image/jpeg") >= 2 and page.count("data:image/png") == 2  # sheet, reliability


def test_other_runs_of_the_folder_are_compared_and_their_names_cannot_be_markup(runs, page):
    assert "second <b>" in Page(page).text
    assert "second <b>" not in page
    assert "second &lt;b&gt;" in page and "second &lt;b&gt;" not in write(runs / "first", "--compare=0")


def test_a_damaged_neighbour_is_named_and_left_out(runs):
    damaged = runs / "damaged"
    shutil.copytree(runs / "first", damaged)
    (damaged / "eval-test" / "metrics.json").write_text("{")
    try:
        assert "not readable as runs: damaged" in Page(write(runs / "first")).text
        assert main.main(["main.py", "--mode=report", f"--run_dir={damaged}"]) == 1
    finally:
        shutil.rmtree(damaged)


def test_a_neighbour_that_cannot_even_be_opened_is_left_out(runs):
    neighbour = runs / "pipe"
    neighbour.mkdir()
    os.mkfifo(neighbour / "config.json")
    try:
        assert "not readable as runs: pipe" in Page(write(runs / "first")).text
    finally:
        shutil.rmtree(neighbour)


def test_runs_are_compared_by_name(runs, tmp_path, capsys):
    page = write(runs / "first", f"--compare={runs / 'second <b>'}")
    assert "second <b>" in Page(page).text
    assert main.main(["main.py", "--mode=report", f"--run_dir={runs / 'first'}", f"--compare={tmp_path}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: --compare={tmp_path}: has no config.json, so it is no folder that train wrote")
    assert error.count("\n") == 1


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(runs, small_disk, capsys):
    before = sorted(os.listdir(runs / "first"))
    assert main.main(["main.py", "--mode=report", f"--run_dir={runs / 'first'}", f"--output={runs / 'page.html'}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {runs / 'page.html'}: File too large; ") and error.count("\n") == 1
    assert sorted(os.listdir(runs / "first")) == before and not list(runs.glob("page.html*"))


MARKUP = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>"""


def texts(value, path=()):
    """The paths of all texts in parsed JSON."""
    if isinstance(value, dict | list):
        for key, item in list(value.items()) if isinstance(value, dict) else enumerate(value):
            yield from texts(item, (*path, key))
    elif isinstance(value, str):
        yield path


def injected(text):
    """The file's JSON, once for each of its texts, which is MARKUP there."""
    for path in texts(json.loads(text)):
        body = json.loads(text)
        place = body
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = MARKUP
        yield body


def shown(folder):
    """The page of a run folder without photos; None where the folder is refused."""
    try:
        run = report_data.load(folder)
        examples = {one.split: [[report_page.Example(row, b"jpeg", one.metrics["ranking"])
                                 for row in one.predictions()[:1]]] * 2 for one in run.evaluations}
        return report_page.page(run, [run], [MARKUP], examples, {MARKUP: MARKUP})
    except UserError:
        return None


def test_no_text_of_any_file_reaches_the_page_as_markup(runs, tmp_path):
    """Each text of each file that the report reads, one after the other, and the names of folders."""
    folder = tmp_path / MARKUP.replace("/", "\\")
    shutil.copytree(runs / "first", folder, ignore=shutil.ignore_patterns("checkpoints", "tensorboard", "*.h5"))
    (folder / "eval-test").rename(folder / "eval-te<b>st")
    counts = {"refused": 0, "shown": 0}
    for name in ("config.json", "manifest.json", "eval-te<b>st/metrics.json", "eval-te<b>st/predictions.jsonl"):
        path = folder / name
        original = path.read_text()
        first, *rest = original.splitlines(keepends=True) if name.endswith("l") else (original,)
        for body in injected(first):
            if name == "manifest.json":
                del body["sha256"]
                body["sha256"] = manifest._checksum(body)
            path.write_text("\n".join([json.dumps(body), "".join(rest)]) if rest else json.dumps(body))
            page = shown(folder)
            counts["shown" if page else "refused"] += 1
            if page:
                assert "<script" not in page and "<img src=x" not in page and "te<b>st" not in page
                assert Page(page).links and all(link.startswith("data:image/") for link in Page(page).links)
        path.write_text(original)
    history = folder / "history.csv"
    history.write_text(history.read_text().replace("val_loss", MARKUP))
    assert shown(folder) is None
    assert counts["shown"] > 50 and counts["refused"] > 10, counts


def test_without_the_records_the_examples_have_no_photos(runs, demo, capsys):
    run = runs / "first"
    metrics = run / "eval-test" / "metrics.json"
    kept = metrics.read_text()
    metrics.write_text(kept.replace(str(demo[0] / "records"), "/nonexistent/records"))
    try:
        assert "data:image/jpeg" not in write(run)
        assert "/nonexistent/records" in capsys.readouterr().err
        assert "data:image/jpeg" in write(run, f"--records_dir={demo[0] / 'records'}")
        assert main.main(["main.py", "--mode=report", f"--run_dir={run}", "--records_dir=/nonexistent"]) == 1
    finally:
        metrics.write_text(kept)


def test_a_run_without_epochs_or_evaluations_has_a_page(demo, tmp_path):
    run = tmp_path / "new"
    run.mkdir()
    for name in ("config.json", "manifest.json", "vocabulary.txt", "word_counts.tsv"):
        shutil.copy(demo[0] / "run" / name, run)
    assert "No epoch has finished yet" in Page(write(run)).text


def test_the_folder_above_several_runs_is_compared_as_a_whole(tmp_path, capsys):
    for name in ("one", "<b>"):
        written_runs.write(tmp_path / "runs" / name)
    page = Page(write(tmp_path / "runs"))
    assert "2 runs, 2 evaluations)" in capsys.readouterr().out
    assert "<b> 2.750" in page.text and "svg" in page.tags
    (tmp_path / "runs" / "one" / "config.json").write_text("{")
    (tmp_path / "runs" / "<b>" / "manifest.json").unlink()
    assert main.main(["main.py", "--mode=report", f"--run_dir={tmp_path / 'runs'}"]) == 1
    assert "none of its folders can be read as a run (<b>, one)" in capsys.readouterr().err


def test_scores_of_weights_that_were_replaced_are_said_to_be(runs, page, tmp_path):
    assert OUTDATED not in page
    shutil.copytree(runs / "first", tmp_path / "run")
    with open(tmp_path / "run" / "best.weights.h5", "ab") as file:
        file.write(b"other")
    assert OUTDATED in write(tmp_path / "run")
    assert f"Of run: {OUTDATED}" in write(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path, capsys):
    assert main.main(["main.py", "--mode=report", f"--run_dir={tmp_path}"]) == 1
    assert "has no config.json" in capsys.readouterr().err
