"""docs/python.md: its snippets run from top to bottom in one process, as in a notebook."""

import csv
import os
import re
import shutil

import numpy as np
import pytest

from records.text.vocabulary import END, PAD, UNK
from tests.conftest import ROOT
from tests.records.inputs import DEMO, PHOTOS

SNIPPETS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the snippets define, after the last of them; `printed` is what each printed."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "photos").mkdir()
    chosen = {path.name for path in PHOTOS[:12]}
    for name in chosen:
        shutil.copy(DEMO / "images" / name, folder / "photos" / name)
    with (folder / "captions.csv").open("w", newline="") as file:
        rows = [re.split(r"#\d\t", line) for line in (DEMO / "captions.token.txt").read_text().splitlines()]
        csv.writer(file).writerows([["image", "caption"], *(row for row in rows if row[0] in chosen)])
    values: dict[str, object] = {"__name__": "notebook"}
    before, environment = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    try:
        for number, snippet in enumerate(SNIPPETS):
            exec(compile(snippet, f"docs/python.md, snippet {number + 1}", "exec"), values)
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
    return {**values, "folder": folder}


def test_every_snippet_runs_and_leaves_what_the_page_says(names):
    assert len(SNIPPETS) >= 12
    assert (names["folder"] / "exported" / "1" / "saved_model.pb").exists()
    assert set(names["batch"]) == {"feature", "inputs", "targets", "key"} and names["batch"]["feature"].shape[0] == 8
    assert names["answer"]["caption"].shape == (1,) and names["metrics"]["images"] > 0


def test_callbacks_of_ones_own_see_every_epoch_and_can_end_the_run(names):
    assert len(names["losses"].seen) == 2 and np.isfinite(names["losses"].seen).all()
    history = (names["folder"] / "runs/first/history.csv").read_text().splitlines()
    assert len(history) == 1 + 2


def test_the_keras_model_answers_as_the_decoder_does(names):
    """The word that the Keras model finds most probable after no word is where greedy decoding starts."""
    run, features = names["run"], names["features"]
    first = names["model"]([features.astype(np.float32), np.zeros((2, run.max_length), np.int32)]).numpy()
    first[:, [PAD, UNK]] = 0  # are never written
    words = first.argmax(axis=1)
    tokens = names["decoder"].decode(features, beam_width=1).tokens.numpy()
    assert tokens[:, 0].tolist() == np.where(words == END, PAD, words).tolist()  # <end> ends a caption unwritten
    assert names["probabilities"].shape == (2, run.vocabulary.size)
    np.testing.assert_allclose(names["probabilities"].sum(axis=1), 1, rtol=1e-5)
