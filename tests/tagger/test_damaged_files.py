"""Damaged and edited files of a run and of its records: one line each, no traceback, no wait, no absurd value.

Each mutation is made of one file, and everything that reads that file is run in this process. What is accepted is held
against what is printed: every number on the page of a report is finite.
"""

import json
import pathlib
import random
import re
import shutil
from collections import Counter

import keras
import numpy as np
import pytest

from flags.errors import UserError
from flags.verify_records import VerifyRecords
from records import verify_records
from records.format import manifest as manifests
from records.input.shard_reader import open_split
from tagger import report
from tagger.reporting import data as report_data
from tagger.runs import run_dir
from tagger.training import checkpoint_state
from tagger.training.checkpoints import Checkpoints

VALUES = [None, True, -1, 0, 1, 3.5, 10**30, -10**30, 1e300, "", "x", "../../etc/passwd", "/dev/zero", "<b>", "\x1b[2J",
          [], [1], {}, {"a": 1}, "9" * 50, "\ud800"]
LITERALS = ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "[" * 100_000, '"\\ud800"', "0x1", "01"]


class Folder:
    """A run of the demo, evaluated, beside a copy of its records; what a test changes is put back."""

    def __init__(self, demo, base):
        self.records, self.run = base / "records", base / "runs" / "run"
        shutil.copytree(demo[0] / "records", self.records)
        shutil.copytree(demo[0] / "run", self.run, ignore=shutil.ignore_patterns("tensorboard"))
        shutil.copytree(self.run, base / "runs" / "other", ignore=shutil.ignore_patterns("checkpoints", "*.h5"))
        [self.evaluation] = self.run.glob("eval-*")
        with np.load(sorted((self.run / "checkpoints").iterdir())[-1]) as file:
            self.state = file["state.json"].tobytes()
        self.callbacks = [keras.callbacks.Callback() for _ in json.loads(self.state)["callbacks"]]

    def read_config(self):
        self.report()
        run_dir.load_run(self.run)

    def report(self):
        run = report_data.load(self.run)
        others, left_out = report_data.neighbours(run, 5)
        examples = {one.split: report.worst_and_best(one, 0, "") for one in run.evaluations}
        for one in run.evaluations:
            one.predictions()
        page = report.report_page.page(run, others, left_out, examples, {})
        assert not re.search(r"\b(nan|inf|NaN|Infinity)\b", re.sub(r"<style>.*?</style>|base64,[^\"]*", "", page))
        assert not {"\x1b", "\ud800"} & set(page)
        assert page.count("<b>") == page.count('<div class="tile">')

    def read_manifest(self):
        manifest = manifests.load(self.records)
        problems = verify_records.problems(self.records, manifest)
        if problems:
            with pytest.raises(UserError):
                verify_records.run(VerifyRecords(records_dir=str(self.records)))
            raise UserError(problems[0])
        open_split(self.records, "train")

    def read_state(self):
        checkpoints = Checkpoints(self.run / "fuzz", 1)
        checkpoints.restore({}, lambda state: checkpoint_state.check(state, self.callbacks))


READERS = {
    "run/config.json": Folder.read_config, "run/history.csv": Folder.report, "run/eval/metrics.json": Folder.report,
    "run/eval/predictions.jsonl": Folder.report, "records/manifest.json": Folder.read_manifest,
    "state": Folder.read_state}


def mutated(data: bytes, chosen: random.Random, mended: bool) -> bytes:
    """The file with one thing changed: bytes, a line, or a value of its JSON."""
    kind = chosen.choice(["flip", "cut", "insert", "line", "value", "value", "value", "literal", "key"])
    if kind in ("value", "literal", "key") and data[:1] in b"{":
        lines = data.splitlines(keepends=True) if data.count(b"\n{") else [data]
        at = chosen.randrange(len(lines))
        body = json.loads(lines[at])
        lines[at] = changed(body, chosen, kind, mended)
        return b"".join(lines)
    place = chosen.randrange(len(data))
    if kind == "cut":
        return data[:place]
    if kind == "insert":
        piece = chosen.choice([b"\0", b"\xff\xfe", b"\n", b",", b'"', b"-", b"e999", b"9" * 400])
        return data[:place] + piece + data[place:]
    if kind == "line":
        lines = data.splitlines(keepends=True)
        lines.insert(chosen.randrange(len(lines) + 1), lines.pop(chosen.randrange(len(lines))))
        return b"".join(lines)
    return data[:place] + bytes([data[place] ^ 1 << chosen.randrange(8)]) + data[place + 1:]


def changed(body, chosen, kind, mended):
    places = [(body, key) for key in body]
    for holder, key in places:
        inner = holder[key]
        if isinstance(inner, dict | list):
            places += [(inner, key) for key in (inner if isinstance(inner, dict) else range(len(inner)))]
    holder, key = chosen.choice(places)
    mark = "a place for a literal"
    if kind == "key" and isinstance(holder, dict):
        value = holder.pop(key)
        if chosen.random() < 0.5:
            holder[chosen.choice(["other", "", "../x", "<b>"])] = value
    else:
        holder[key] = mark if kind == "literal" else chosen.choice(VALUES)
    if mended and "sha256" in body and kind != "literal":  # as somebody does who knows how
        del body["sha256"]
        try:
            body["sha256"] = manifests._checksum(body)
        except UnicodeEncodeError:
            pass
    return json.dumps(body).replace(json.dumps(mark), chosen.choice(LITERALS)).encode() + b"\n"


def outcomes(folder: Folder, count: int, seed: int) -> Counter[str]:
    """How `count` mutations end; what is neither refused by a line nor read raises."""
    chosen, counts = random.Random(seed), Counter[str]()
    for number in range(count):
        name = list(READERS)[number % len(READERS)]
        path = pathlib.Path(folder.run.parent, name.replace("run/eval", f"run/{folder.evaluation.name}"))
        path = folder.records / "manifest.json" if name.startswith("records") else path
        original = folder.state if name == "state" else path.read_bytes()
        data = mutated(original, chosen, mended=chosen.random() < 0.7)
        if name == "state":
            path = folder.run / "fuzz" / "checkpoints" / "step-00000001.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **{"state.json": np.frombuffer(data, np.uint8)})
        else:
            path.write_bytes(data)
        try:
            READERS[name](folder)
            outcome = "unchanged" if data == original else "read"
        except UserError as error:
            outcome = "refused"
            assert str(error)
        except Exception as error:
            raise AssertionError(f"mutation {number} of {name}: {data[:2000]!r}") from error
        finally:
            if name != "state":
                path.write_bytes(original)
        counts[f"{name} {outcome}"] += 1
        counts[outcome] += 1
    return counts


@pytest.fixture(scope="module")
def folder(demo, tmp_path_factory):
    return Folder(demo, tmp_path_factory.mktemp("damaged"))


def test_150_mutations(folder):
    counts = outcomes(folder, 150, seed=1)
    assert counts["refused"] > 75 and counts["read"] > 5, counts


@pytest.mark.slow
def test_2000_mutations(folder, capsys):
    counts = outcomes(folder, 2000, seed=2)
    with capsys.disabled():
        print("\n" + "\n".join(f"{number:6}  {outcome}" for outcome, number in sorted(counts.items())))
    assert counts["refused"] > 1000


def test_files_of_another_run_are_named(folder, tmp_path, capsys):
    """Of the same shape, so that nothing but the name of the run tells them apart."""
    one, other = tmp_path / "one", tmp_path / "other"
    for copy, name in ((one, "a" * 16), (other, "b" * 16)):
        shutil.copytree(folder.run, copy)
        config = json.loads((copy / "config.json").read_text())
        assert config.pop("run_id")
        (copy / "config.json").write_text(json.dumps({**config, "run_id": name}))
    with pytest.raises(UserError, match=rf"{one / 'best.weights.h5'}: is of run \w+, .*config.json is of run aaaaaaaa"):
        run_dir.load_run(one)
    with pytest.raises(UserError, match=r"step-\d+.npz: is of run \w+, .*config.json is of run bbbbbbbb.*--fresh"):
        Checkpoints(other, 2).restore({})
    config = json.loads((folder.run / "config.json").read_text())
    assert run_dir.load_run(folder.run).config.seed == config["seed"]
    del config["run_id"]
    (one / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config.json is of a run without a name"):
        run_dir.load_run(one)


def test_an_evaluation_refuses_the_folder_in_one_line(folder, capsys):
    import main

    original = (folder.run / "config.json").read_text()
    (folder.run / "config.json").write_text(original.replace('"dropout": 0.5', '"dropout": 7'))
    try:
        assert main.main(["main.py", "--mode=eval", f"--records_dir={folder.records}", f"--run_dir={folder.run}"]) == 1
    finally:
        (folder.run / "config.json").write_text(original)
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {folder.run / 'config.json'}: is no description of a run (") and "dropout" in error
