import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from flags.errors import UserError
from records.format import layout
from records.format.tfrecord import walk
from records.writing.feature_rewriter import RewriteJob, rewrite_shard
from records.writing.shard_writer import BackboneJob, load_extractor, write_shard
from tests.records.inputs import write_photos
from tests.records.jobs import shard_jobs

BACKBONE = "tests.records.backbones.networks:small"


@pytest.fixture
def job(tmp_path):
    """Three examples without features, to be written with those of a small network."""
    write_photos(tmp_path / "images", 3)
    (planned,) = shard_jobs(tmp_path / "images", tmp_path / "old", 1)
    shard = write_shard(planned).shard
    layout.staging_dir(str(tmp_path / "new")).mkdir(parents=True)
    return RewriteJob(str(tmp_path / "old" / shard.file), shard.sha256, str(tmp_path / "new"), shard.file,
                      shard.captions, shard.tokens, True, BackboneJob(BACKBONE, "", "float32"))


def examples(path):
    with open(path, "rb") as file:
        return [dict(tf.train.Example.FromString(data).features.feature) for _, data in walk(file)]


def test_the_same_examples_with_features_of_their_photos(job, tmp_path):
    counted = []
    receipt = rewrite_shard(job, 4, counted.append)
    old, new = examples(job.source), examples(tmp_path / "new" / job.file)
    assert (receipt.shard.examples, receipt.plan_sha256, sum(counted)) == (3, job.source_sha256, 3)
    features = [example.pop("feature") for example in new]
    for example in old:
        example.pop("feature", None)
    assert old == new and job.receipt.exists()
    expected = list(load_extractor(job.backbone).features(example["image"].bytes_list.value[0] for example in old))
    read = [np.frombuffer(feature.bytes_list.value[0], "<f2") for feature in features]
    np.testing.assert_allclose(read, expected, rtol=2e-3, atol=1e-3)
    assert np.abs(read[0] - read[1]).max() > 0.01


def test_photos_can_be_left_out_and_damage_is_named(job, tmp_path):
    rewrite_shard(dataclasses.replace(job, store_images=False), 4, lambda count: None)
    assert not any(example["image"].bytes_list.value[0] for example in examples(tmp_path / "new" / job.file)
                   if "image" in example)
    with open(job.source, "r+b") as file:
        file.seek(100)
        file.write(b"damage")
    with pytest.raises(UserError, match=f"{job.source}: .*; restore it from a copy"):
        rewrite_shard(job, 4, lambda count: None)
