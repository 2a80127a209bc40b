import os

import pytest
import tensorflow as tf

from flags.errors import UserError
from records.format.tfrecord import FOOTER_BYTES, HEADER_BYTES, frame
from records.input.record_index import RecordIndex
from records.input.shard_reader import open_split
from tests.records import folders


@pytest.fixture
def split(tmp_path):
    folder = tmp_path / "records"
    folders.write(folder, {"train": folders.random_split(0, [5, 1, 7])})
    return open_split(folder, "train")


def test_every_record_is_found_in_any_order(split):
    index = RecordIndex(split)
    expected = [record for shard in split.info.shards
                for record in tf.data.TFRecordDataset(split.path(shard)).as_numpy_iterator()]
    assert len(index) == len(expected) == 13
    order = [12, 0, 5, 4, 6, 0]
    assert index.read(order) == [expected[number] for number in order]
    assert index.read([]) == []


def test_a_damaged_record_is_named(split):
    index = RecordIndex(split)
    path = split.path(split.info.shards[2])
    data = bytearray(open(path, "rb").read())
    data[int(index.offset[8]) + 20] ^= 1
    with open(path, "wb") as file:
        file.write(data)
    assert len(index.read([7, 9])) == 2
    with pytest.raises(UserError, match=r"00002-of-00003: record 8 .*checksum.*restore it"):
        index.read([8])


def test_a_shard_with_fewer_records_is_refused(split):
    path = split.path(split.info.shards[0])
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.write(frame(bytes(size - HEADER_BYTES - FOOTER_BYTES)))  # one record in place of five
    with pytest.raises(UserError, match="00000-of-00003: has 1 records, .* says 5"):
        RecordIndex(split)
