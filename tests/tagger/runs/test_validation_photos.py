"""Photos to compare captions on, from what is left of a run's records."""

import dataclasses
import shutil

import numpy as np

from records.format import manifest as manifests
from records.input.caption_dataset import images, open_split
from tagger.runs.run_dir import load_run
from tagger.runs.validation_photos import validation_photos


def test_photos_else_features_else_nothing(demo, tmp_path):
    folder = demo[0] / "run"
    run, split = load_run(folder), open_split(demo[0] / "records", "validation")
    examples = list(images(split).take(3).as_numpy_iterator())
    assert validation_photos(folder, run, 3).images == [example["image"] for example in examples]

    records = shutil.copytree(demo[0] / "records", tmp_path / "records")
    manifest = manifests.load(records)
    manifests.save(records, dataclasses.replace(manifest, flags={**manifest.flags, "store_images": False}))
    without = dataclasses.replace(run, config=dataclasses.replace(run.config, records_dir=str(records)))
    found = validation_photos(tmp_path, without, 3)
    assert not found.images
    np.testing.assert_array_equal(found.features, [example["feature"] for example in examples])

    shutil.copytree(folder, tmp_path / "pixels", ignore=shutil.ignore_patterns("checkpoints", "tensorboard"))
    assert len(validation_photos(tmp_path, without, 2).images) == 2  # those of a stage of the run
    shutil.rmtree(tmp_path / "pixels")
    shutil.rmtree(records)
    assert validation_photos(tmp_path, without, 3) == ([], [])
