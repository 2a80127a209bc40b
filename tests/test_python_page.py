"""docs/python.md: its snippets run from top to bottom in one process, as in a notebook."""

import codeop
import logging
import os
import re
import warnings

import numpy as np
import pytest

from records.text.vocabulary import END, PAD, UNK
from tests.conftest import ROOT

SNIPPETS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(), re.M | re.S)


class Logged(logging.Handler):
    """Keeps the first line of each message."""

    def __init__(self, level):
        super().__init__(level)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage().splitlines()[0])


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the snippets define, after the last of them; `warned` is what each had Python or TensorFlow warn of."""
    folder = tmp_path_factory.mktemp("python")
    values: dict[str, object] = {"__name__": "notebook"}
    before, environment = os.getcwd(), dict(os.environ)
    os.chdir(folder)
    logged = Logged(logging.WARNING)
    logging.getLogger("tensorflow").addHandler(logged)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default", UserWarning)
            for number, snippet in enumerate(SNIPPETS):
                # Without a source that could be looked up, as at a bare prompt; a notebook has one.
                exec(compile(snippet, f"docs/python.md, snippet {number + 1}", "exec"), values)
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
        logging.getLogger("tensorflow").removeHandler(logged)
    values["warned"] = [str(one.message) for one in caught if issubclass(one.category, UserWarning)] + logged.lines
    return {**values, "folder": folder}


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_plain_prompt_takes_every_snippet_line_by_line(snippet):
    """It takes an empty line for the end of a block, and a line that is not indented for none."""
    waiting: list[str] = []
    for line in [*snippet.splitlines(), ""]:
        waiting.append(line)
        if codeop.compile_command("\n".join(waiting)) is not None:
            waiting.clear()
    assert not waiting


def test_every_snippet_runs_and_leaves_what_the_page_says(names):
    assert len(SNIPPETS) >= 12
    assert (names["folder"] / "exported" / "1" / "saved_model.pb").exists()
    assert set(names["batch"]) == {"feature", "inputs", "targets", "key"} and names["batch"]["feature"].shape[0] == 8
    assert names["answer"]["caption"].shape == (1,) and names["metrics"]["images"] > 0
    assert names["warned"] == []


def test_what_it_shows_is_more_than_chance(names):
    """The photos that are held out are told apart, and get tags of theirs."""
    assert names["unseen_scores"]["accuracy"] > names["commoner"] >= 0.5 and names["unseen_scores"]["auc"] > 0.7
    right = [tag.decode() in " ".join(text.decode() for text in example["captions"])
             for example, tags in zip(names["examples"], names["decoded"].tags.numpy(), strict=True) for tag in tags]
    assert any(right)


def test_callbacks_of_ones_own_see_every_epoch_and_can_end_the_run(names):
    *others, last = names["losses"].seen
    assert last < 3.08 <= min(others)
    history = (names["folder"] / "runs/first/history.csv").read_text().splitlines()
    assert len(history) == 1 + len(names["losses"].seen)


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
