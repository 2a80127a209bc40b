"""docs/coco.md: its commands, run on a small copy of COCO's layout."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import main
from records.format import manifest
from tests.conftest import ROOT
from tests.records.inputs import DEMO

# What lets a test on a few photos end soon; the page's own flags come first, so that these win.
SMALL = {
    "make_records": ["--backbone=mobilenet_v2", f"--backbone_weights={DEMO / 'mobilenet_v2_notop_float16.weights.h5'}",
                     "--shards=train=2", "--min_count=1"],
    "train": ["--batch_size=8", "--epochs=1", "--warmup_steps=1", "--devices=cpu"], "eval": ["--batch_size=4"]}


def _coco(folder):
    """dataset_coco.json and images/ of Karpathy's form, from the embedded photos."""
    captions: dict[str, list[str]] = {}
    for line in (DEMO / "captions.token.txt").read_text().splitlines():
        name, _, caption = line.partition("\t")
        captions.setdefault(name.partition("#")[0], []).append(caption)
    splits = ["train"] * 12 + ["restval"] * 4 + ["val"] * 2 + ["test"] * 2
    images = []
    for split, (name, sentences) in zip(splits, captions.items(), strict=False):
        year = "train2014" if split == "train" else "val2014"
        target = folder / "images" / year / f"COCO_{year}_{name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEMO / "images" / name, target)
        images.append({"filepath": year, "filename": target.name, "split": split,
                       "sentences": [{"raw": sentence} for sentence in sentences]})
    (folder / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


@pytest.mark.slow
def test_the_commands(tmp_path, monkeypatch, capfd):
    _coco(tmp_path / "coco")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "coco.md").read_text().partition("## Fifty photos first")[0]
    commands = re.findall(r"^    (tagger .*)$", page, re.M)
    modes = []
    for command in commands:
        _, mode, *arguments = shlex.split(command)
        modes.append(mode.removeprefix("--mode="))
        assert main.main(["tagger", mode, *arguments, *SMALL.get(modes[-1], [])]) == 0, capfd.readouterr().err
    assert modes == ["make_records", "verify_records", "train", "eval", "export"]
    examples = {name: split.examples for name, split in manifest.load(tmp_path / "data/coco").splits.items()}
    assert examples == {"train": 16, "validation": 2, "test": 2}
    assert json.loads((tmp_path / "runs/coco/eval-test/metrics.json").read_text())["images"] == 2
    assert (tmp_path / "exported/coco/1/saved_model.pb").exists()


@pytest.mark.slow
def test_fifty_photos_first(tmp_path, monkeypatch, capfd):
    """As they stand, but for the backbone."""
    _coco(tmp_path / "coco")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    section = (ROOT / "docs" / "coco.md").read_text().partition("## Fifty photos first")[2].partition("\n## ")[0]
    [table] = re.findall(r"^    python3 (.*)$", section, re.M)
    subprocess.run([sys.executable, *shlex.split(table)], check=True)
    commands = [shlex.split(command) for command in re.findall(r"^    tagger (.*)$", section, re.M)]
    for command in commands:
        backbone = SMALL["make_records"][:2] if "--mode=make_records" in command else []
        assert main.main(["tagger", *command, *backbone]) == 0, capfd.readouterr().err
    examples = {name: split.examples for name, split in manifest.load(tmp_path / "data/coco_small").splits.items()}
    assert examples == {"train": 12, "validation": 2, "test": 2}
    assert "splits: those that the table gives\n" in capfd.readouterr().out
    assert (tmp_path / "runs/coco_small/eval-test/metrics.json").exists()


@pytest.mark.slow
def test_the_2017_files(tmp_path, monkeypatch, capfd):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    photos = sorted((DEMO / "images").iterdir())
    for year, names in (("train2017", photos[:6]), ("val2017", photos[6:8])):
        (tmp_path / "coco" / year).mkdir()
        images, annotations = [], []
        for number, photo in enumerate(names):
            shutil.copy(photo, tmp_path / "coco" / year)
            images.append({"id": number, "file_name": photo.name})
            annotations.append({"id": number, "image_id": number, "caption": f"a photo of thing {number}"})
        (tmp_path / "coco" / "annotations" / f"captions_{year}.json").write_text(
            json.dumps({"images": images, "annotations": annotations}))
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "coco.md").read_text().partition("## The 2017 files")[2]
    [command] = re.findall(r"^    tagger (.*)$", page, re.M)
    assert main.main(["tagger", *shlex.split(command), *SMALL["make_records"]]) == 0, capfd.readouterr().err
    examples = {name: split.examples for name, split in manifest.load(tmp_path / "data/coco").splits.items()}
    assert examples == {"train": 6, "validation": 2}
