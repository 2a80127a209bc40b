"""A run folder is all that later modes need; what is missing or damaged in it is named."""

import json

import numpy as np
import pytest

from flags.errors import UserError
from flags.train import Train
from records.format import layout
from records.format import manifest as manifests
from records.text.vocabulary import Vocabulary
from tagger.runs import run_dir
from tests.records import folders

WORDS = Vocabulary.build({"a": 3, "dog": 2, "runs": 1}, {"dog": 2})


@pytest.fixture
def run(tmp_path):
    """A run folder with the weights of an untrained model, and that model."""
    records = folders.write(tmp_path / "records", {"train": folders.random_split(0, [3])}, vocabulary_size=6)
    config = Train(records_dir=records, run_dir=tmp_path / "run", dropout=0.25, callbacks=("a:B", "c:D"))
    manifest = manifests.load(records)
    run_dir.save_description(config, manifest, WORDS, None)
    model = run_dir.new_model(config, manifest, WORDS)
    run_dir.save_weights(model, 5, tmp_path / "run" / run_dir.WEIGHTS_FILE)
    return tmp_path / "run", config, model, manifest


def test_what_was_saved_is_loaded(run):
    folder, config, model, manifest = run
    loaded = run_dir.load_run(folder)
    assert (loaded.config, loaded.manifest, loaded.vocabulary) == (config, manifest, WORDS)
    assert loaded.max_length == manifest.splits["train"].max_tokens - 1
    for weight, other in zip(loaded.model.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_weights_of_another_file_and_of_another_model(run, tmp_path):
    folder, config, model, manifest = run
    model.weights[0].assign(model.weights[0] + 1)
    run_dir.save_weights(model, 5, tmp_path / "other.weights.h5")
    loaded = run_dir.load_run(folder, weights=str(tmp_path / "other.weights.h5"))
    np.testing.assert_array_equal(loaded.model.weights[0], model.weights[0])
    larger = run_dir.new_model(config, manifest, Vocabulary.build({"a": 1, "b": 1, "c": 1, "d": 1}, {}))
    run_dir.save_weights(larger, 5, tmp_path / "larger.weights.h5")
    (tmp_path / "broken.weights.h5").write_bytes(b"no weights")
    for name, message in (("larger", "cannot be read as weights of this model"), ("nowhere", "no such weights file"),
                          ("broken", "cannot be read as weights of this model")):
        with pytest.raises(UserError, match=f"{name}.weights.h5: {message}"):
            run_dir.load_run(folder, weights=str(tmp_path / f"{name}.weights.h5"))


def test_folders_that_are_no_runs(run, tmp_path):
    folder, *_ = run
    assert run_dir.load_config(tmp_path / "nowhere") is None
    (tmp_path / "empty").mkdir()
    for path, message in (
            ("empty", "has no config.json, so it is no folder that train wrote"),
            ("nowhere", "no such folder; --mode=train makes one"), ("run/config.json", "is a file; give a folder"),
            ("", f"is no run, but has some in it: run; give one of them, such as {folder}"),
            ("records", "is a folder that make_records wrote; give one that train wrote")):
        with pytest.raises(UserError, match=f"--run_dir={tmp_path / path}: {message}"):
            run_dir.load_run(tmp_path / path)
    (folder / layout.MANIFEST).write_text("{")
    with pytest.raises(UserError, match="manifest.json: is missing or damaged"):
        run_dir.load_run(folder)


@pytest.mark.parametrize("edit, message", [
    (lambda config: config | {"nosuch": 1}, "it has 'nosuch', which is unknown"),
    (lambda config: config | {"format": 2}, "expected a JSON object of format 1"),
    (lambda config: [], "expected a JSON object"),
    (lambda config: config | {"epochs": 0}, "--epochs=0: expected at least 1")])
def test_a_config_that_train_does_not_write(run, edit, message):
    path = run[0] / run_dir.CONFIG_FILE
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    with pytest.raises(UserError, match=message):
        run_dir.load_config(run[0])
