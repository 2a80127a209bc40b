"""TensorFlow Datasets finds in its two files what the shards hold."""

import json

import pytest
import tensorflow_datasets as tfds

from records.format.manifest import ShardInfo, SplitInfo
from records.format.tfds_metadata import dataset_info_json, features_json
from tests.records import folders


@pytest.mark.parametrize("feature_size, image", [(4, None), (None, b"photo"), (4, b"photo")])
def test_the_features_that_are_stored_are_declared(tmp_path, feature_size, image):
    folders.write(tmp_path / "r", {"train": folders.random_split(0, [3, 2])}, feature_size, image=image)
    builder = tfds.builder_from_directory(tmp_path / "r")
    assert ("feature" in builder.info.features, "image" in builder.info.features) == (
        feature_size is not None, image is not None)
    assert builder.info.splits["train"].num_examples == 5
    assert builder.info.splits["train"].shard_lengths == [3, 2]


def test_equal_contents_give_equal_bytes():
    shards = tuple(ShardInfo(f"n-train.tfrecord-{i:05d}-of-00002", 10 + i, "ab" * 32, 2 + i, 4, 9) for i in range(2))
    text = dataset_info_json("n", {"train": SplitInfo(5, 8, 18, 6, shards)})
    assert text == dataset_info_json("n", {"train": SplitInfo(5, 8, 18, 6, shards)}) and text.endswith("}\n")
    assert json.loads(text)["splits"] == [{
        "name": "train", "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}", "numBytes": "21",
        "shardLengths": ["2", "3"]}]
    assert features_json(4, True) != features_json(8, True)
