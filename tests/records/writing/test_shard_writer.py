"""One shard from its plan: whole, with a receipt, or not at all."""

import dataclasses
import io
import shutil

import pytest
import tensorflow as tf

from flags.errors import UserError
from records.format.tfrecord import walk
from records.util.hashing import file_sha256
from records.writing import receipts, shard_writer
from tests.records.inputs import write_photos
from tests.records.jobs import shard_jobs


@pytest.fixture
def images(tmp_path):
    write_photos(tmp_path / "images", 6)
    return tmp_path / "images"


def test_a_shard_holds_its_plan_and_the_files(images, tmp_path):
    (job,) = shard_jobs(images, tmp_path / "r", 1)
    counted = []
    receipt = shard_writer.write_shard(job, counted.append)
    data = (tmp_path / "r" / job.file).read_bytes()
    assert (receipt.shard.bytes, receipt.shard.sha256) == (len(data), file_sha256(tmp_path / "r" / job.file))
    assert (receipt.shard.examples, receipt.shard.captions, receipt.shard.tokens, receipt.max_tokens) == (6, 12, 42, 4)
    assert sum(counted) == 6 and receipts.finished(job) == receipt
    features = [tf.train.Example.FromString(record).features.feature for _, record in walk(io.BytesIO(data))]
    keys = [feature["key"].bytes_list.value[0].decode() for feature in features]
    assert keys == sorted(path.name for path in images.iterdir())
    assert [feature["image"].bytes_list.value[0] for feature in features] == [(images / k).read_bytes() for k in keys]
    assert list(features[2]["tokens"].int64_list.value) == [3, 4, 1, 3, 4, 7, 1]


def test_what_changed_since_it_was_planned_is_refused(images, tmp_path):
    (job,) = shard_jobs(images, tmp_path / "r", 1)
    with pytest.raises(UserError, match=r"\.jsonl: changed since it was written; run make_records again"):
        shard_writer.write_shard(dataclasses.replace(job, plan_sha256="0" * 64))
    shutil.copy(images / "photo_0001.jpg", images / "photo_0000.jpg")
    with pytest.raises(UserError, match="'photo_0000.jpg' was good when it was checked"):
        shard_writer.write_shard(job)
    assert not (tmp_path / "r" / job.file).exists() and not job.receipt.exists()
    assert not list((tmp_path / "r").rglob("*.tmp-*"))


def test_photos_are_stored_shrunk(images, tmp_path):
    (job,) = shard_jobs(images, tmp_path / "r", 1)
    shard_writer.write_shard(dataclasses.replace(job, store_size=45))  # the photos are 48 wide and 44 to 48 high
    data = (tmp_path / "r" / job.file).read_bytes()
    for _, record in walk(io.BytesIO(data)):
        feature = tf.train.Example.FromString(record).features.feature
        original = (images / feature["key"].bytes_list.value[0].decode()).read_bytes()
        stored = feature["image"].bytes_list.value[0]
        size = feature["height"].int64_list.value[0], feature["width"].int64_list.value[0]
        assert tf.io.decode_jpeg(stored).shape[:2] == size
        height, width = tf.io.decode_jpeg(original).shape[:2]
        assert (stored == original) == (min(height, width) <= 45) and min(size) == min(height, width, 45)
