"""make_records --records: other features for the same examples."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from flags.errors import UserError
from flags.make_records import MakeRecords
from flags.verify_records import VerifyRecords
from records import verify_records
from records.backbones.registry import load_encoder
from records.format import manifest as manifests
from records.input.shard_reader import images, open_split
from records.make_records import run
from tests.records.inputs import contents, make, write_captions, write_photos

BACKBONE = "tests.records.backbones.networks:named"


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    names = write_photos(folder / "images", 24, size=110)
    return make(folder / "images", write_captions(folder / "captions.csv", names), folder / "records",
                backbone=BACKBONE, backbone_weights="", shards="train=2", min_count=1,
                split_fractions="train=0.8,validation=0.2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The same network with other weights, as a run that trained it leaves them."""
    folder = tmp_path_factory.mktemp("run")
    model = load_encoder(BACKBONE).build(trainable=True)
    for weight in model.trainable_weights:
        weight.assign(weight.value * 1.5)
    model.save_weights(folder / "backbone.weights.h5")
    return folder


def recompute(records, target, weights, **flags):
    run(MakeRecords(records=str(records), records_dir=str(target), backbone_weights=str(weights), **flags))
    return target


def examples(records):
    return {split: list(images(open_split(records, split)).as_numpy_iterator()) for split in ("train", "validation")}


def _plain(value):
    """Lists of numbers and bytes; tag_ids are arrays of arrays of several lengths."""
    return [_plain(item) for item in value] if np.ndim(value) or isinstance(value, list) else value


def test_same_examples_other_features(records, weights, tmp_path):
    new = recompute(records, tmp_path / "new", weights)
    before, after = examples(records), examples(new)
    for split, olds in before.items():
        assert len(olds) == len(after[split])
        for old, example in zip(olds, after[split], strict=True):
            for name in old:
                assert (_plain(old[name]) == _plain(example[name])) != (name == "feature"), name
    manifest, source = manifests.load(new), manifests.load(records)
    assert manifest.backbone.weights_sha256 != source.backbone.weights_sha256
    assert manifest.backbone.name == BACKBONE and manifest.files["vocabulary.txt"] == source.files["vocabulary.txt"]
    verify_records.run(VerifyRecords(records_dir=str(new)))
    assert len(list(tfds.builder_from_directory(str(new)).as_dataset(split="train"))) == len(before["train"])


def test_features_are_those_of_photos_made_anew(records, weights, tmp_path):
    photos = records.parent
    anew = make(photos / "images", photos / "captions.csv", tmp_path / "anew", backbone=BACKBONE, shards="train=2",
                backbone_weights=str(weights / "backbone.weights.h5"), min_count=1,
                split_fractions="train=0.8,validation=0.2")
    recomputed = recompute(records, tmp_path / "recomputed", weights)
    assert {name: digest for name, digest in contents(anew).items() if "tfrecord" in name} == {
        name: digest for name, digest in contents(recomputed).items() if "tfrecord" in name}


def test_without_photos_it_cannot_be_done_again(records, weights, tmp_path, capsys):
    small = recompute(records, tmp_path / "small", weights, store_images=False)
    assert "image" not in json.loads((small / "features.json").read_text())["featuresDict"]["features"]
    recompute(records, tmp_path / "small", weights, store_images=False)
    assert "nothing to do" in capsys.readouterr().out
    with pytest.raises(UserError, match="store_images=false and holds no photos"):
        recompute(small, tmp_path / "third", weights)


def test_flags_without_a_meaning_are_refused(records, weights, tmp_path):
    with pytest.raises(UserError, match="--captions=x.csv: has no meaning with --records"):
        recompute(records, tmp_path / "new", weights, captions="x.csv")
    with pytest.raises(UserError, match="is the folder of --records; give another one"):
        recompute(records, records, weights)
