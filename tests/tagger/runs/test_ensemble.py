"""Runs that are averaged: those that fit, in the order given; the others are refused by what differs."""

import dataclasses
import shutil

import pytest

from flags.errors import UserError
from records.format import layout
from records.format import manifest as manifests
from tagger.runs.ensemble import load_ensemble


def _swap_words(folder):
    for name in (layout.VOCABULARY, layout.WORD_COUNTS):
        lines = (folder / name).read_text().splitlines()
        lines[3], lines[4] = lines[4], lines[3]
        (folder / name).write_text("\n".join(lines) + "\n")


def _edit_manifest(folder, **changes):
    manifest = manifests.from_json((folder / layout.MANIFEST).read_bytes())
    if "precision" in changes:
        changes = {"backbone": dataclasses.replace(manifest.backbone, **changes)}
    manifests.save(folder, dataclasses.replace(manifest, **changes))


def test_the_runs_come_in_the_order_given(demo, tmp_path):
    copy = shutil.copytree(demo[0] / "run", tmp_path / "copy")
    runs = load_ensemble(str(demo[0] / "run"), "best", [str(copy)])
    assert [run.vocabulary.size for run in runs] == [runs[0].vocabulary.size] * 2
    assert runs[0].model is not runs[1].model
    for weight, other in zip(runs[0].model.weights, runs[1].model.weights, strict=True):
        assert (weight.numpy() == other.numpy()).all()


@pytest.mark.parametrize("change, message", [
    (_swap_words, "has a vocabulary of .* words that is not that of --run_dir="),
    (lambda folder: _edit_manifest(folder, precision="bfloat16"), "precision is bfloat16, expected float32"),
    (lambda folder: _edit_manifest(folder, target="tags"), "writes tags, --run_dir=.* writes captions"),
    (lambda folder: (folder / "config.json").unlink(), "has no config.json")])
def test_a_run_that_does_not_fit_is_refused_by_what_differs(demo, tmp_path, change, message):
    other = shutil.copytree(demo[0] / "run", tmp_path / "other")
    change(other)
    with pytest.raises(UserError, match=message):
        load_ensemble(str(demo[0] / "run"), ensemble=[str(other)])
