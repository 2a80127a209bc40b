"""The names of a records folder: those that TensorFlow Datasets and unfinished folders of older versions have."""

import pytest

from records.format import layout


@pytest.mark.parametrize("shard, shards", [(0, 1), (15, 16), (layout.MOST_SHARDS - 1, layout.MOST_SHARDS)])
def test_a_shard_file_is_known_as_one(shard, shards):
    assert layout.is_shard(layout.shard_file("photos", "train", shard, shards))


@pytest.mark.parametrize("name", [*layout.OTHER_FILES, layout.MANIFEST, "photos-train.tfrecord-00000-of-00016.tmp-1",
                                  "photos-train.tfrecord"])
def test_other_files_are_no_shards(name):
    assert not layout.is_shard(name)


def test_paths_of_an_unfinished_folder():
    shard = layout.shard_file("photos", "train", 0, 16)
    assert shard == "photos-train.tfrecord-00000-of-00016"
    assert str(layout.plan_path("r", shard)) == f"r/.make_records/plans/{shard}.jsonl"
    assert str(layout.receipt_path("r", shard)) == f"r/.make_records/done/{shard}.json"
    assert str(layout.plan_path("gs://bucket/r", shard)).startswith("gs://bucket/r/.make_records/")
