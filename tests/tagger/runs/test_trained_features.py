import dataclasses
import json

import pytest

from flags.errors import UserError
from flags.train import Train
from records.format import manifest as manifests
from records.text.vocabulary import Vocabulary
from tagger.runs import run_dir
from tagger.runs.trained_features import records_for
from tests.records import folders


@pytest.fixture
def run(tmp_path):
    """A run folder and the records that it was trained on, which hold features and no photos."""
    records = folders.write(tmp_path / "records", {"train": folders.random_split(0, [3])}, vocabulary_size=6)
    manifest = manifests.load(records)
    manifests.save(records, dataclasses.replace(manifest, flags={"store_images": False}))
    config = Train(records_dir=str(records), run_dir=str(tmp_path / "run"))
    run_dir.save_description(config, manifests.load(records), Vocabulary.build({"a": 3, "b": 2, "c": 1}, {}), None)
    return str(tmp_path / "run"), str(records)


def test_records_serve_a_run_that_trained_no_backbone_as_they_are(run):
    assert records_for(*run) == run[1]


def test_records_that_have_the_trained_features_already(run, tmp_path):
    (tmp_path / "run" / "backbone.json").write_text(json.dumps({"weights_sha256": "0" * 64}))
    assert records_for(*run) == run[1]


def test_other_features_need_photos(run, tmp_path):
    (tmp_path / "run" / "backbone.json").write_text(json.dumps({"weights_sha256": "1" * 64}))
    with pytest.raises(UserError):
        records_for(*run)
    assert not list((tmp_path / "run").glob("records/*.tfrecord-*"))
