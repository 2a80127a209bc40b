import collections

import numpy as np
import pytest

from flags.errors import UserError
from records.input.shard_reader import open_split, reading_errors
from records.input.streaming import Partitions
from tests.records import folders

SHARDS = folders.random_split(0, [20, 24, 22, 20])
BATCH = 16


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    return open_split(folders.write(tmp_path_factory.mktemp("streaming") / "r", {"train": SHARDS}), "train")


@pytest.fixture(scope="module")
def partitions(split):
    return Partitions(split, BATCH, 100)


def read(partitions, numbers, first_step=0, key=(1, 2)):
    return list(partitions.batches(numbers, first_step, key, keys=True).as_numpy_iterator())


def test_partitions_fill_the_batch(partitions):
    assert partitions.count > 1 and partitions.count * partitions.rows == BATCH
    assert [*partitions.of_host(0, 2), *partitions.of_host(1, 2)] == list(range(partitions.count))
    with pytest.raises(UserError, match="which 3 hosts cannot share evenly; give a --batch_size and a number of"):
        partitions.of_host(0, 3)


def test_more_than_16_hosts_read_every_caption_once_between_them(tmp_path):
    shards = folders.random_split(3, [6] * 40)
    split = open_split(folders.write(tmp_path / "r", {"train": shards}), "train")
    with pytest.raises(UserError, match="which 20 hosts cannot share evenly"):
        Partitions(split, 40, 100).of_host(0, 20)
    partitions = Partitions(split, 40, 100, hosts=20)
    hosts = [partitions.of_host(host, 20) for host in range(20)]
    assert [number for own in hosts for number in own] == list(range(20))
    batches = [batch for own in (hosts[0], hosts[19], range(1, 19)) for batch in read(partitions, own)]
    found = [(name, tuple(row[row > 0].tolist())) for batch in batches
             for name, row in zip(batch["key"], batch["targets"], strict=True) if name]
    assert collections.Counter(found) == collections.Counter(folders.captions_of("train", shards))


@pytest.mark.parametrize("key", [(1, 2), None])
def test_every_caption_once(partitions, key):
    batches = read(partitions, range(partitions.count), key=key)
    assert len(batches) == partitions.steps
    found = [(name, tuple(row[row > 0].tolist())) for batch in batches
             for name, row in zip(batch["key"], batch["targets"], strict=True) if name]
    assert collections.Counter(found) == collections.Counter(folders.captions_of("train", SHARDS))


def test_each_host_reads_its_rows_of_the_same_batches_and_can_start_anywhere(partitions):
    whole = read(partitions, range(partitions.count))
    first, second = (read(partitions, partitions.of_host(host, 2)) for host in (0, 1))
    for batch, one, other in zip(whole, first, second, strict=True):
        np.testing.assert_array_equal(batch["key"], [*one["key"], *other["key"]])
        np.testing.assert_array_equal(batch["feature"], np.concatenate([one["feature"], other["feature"]]))
    for batch, again in zip(whole[9:], read(partitions, range(partitions.count), 9), strict=True):
        np.testing.assert_array_equal(batch["targets"], again["targets"])
    assert any(np.any(a["key"] != b["key"]) for a, b in zip(
        whole, read(partitions, range(partitions.count), key=(1, 3)), strict=True))


@pytest.mark.parametrize("key", [(0, 0), None])
def test_damage_is_told_in_the_line_of_its_shard(tmp_path, key):
    folder = folders.write(tmp_path / "r\udcff", {"train": SHARDS})  # a name that is not UTF-8
    name = folders.set_shard(folder, 3, folders.first_records(folder, 3, 19))
    partitions = Partitions(open_split(folder, "train"), BATCH, 100)
    with pytest.raises(UserError, match=f"{name}: has fewer records than the 20 that manifest.json says"):
        with reading_errors(folder):
            read(partitions, range(partitions.count), key=key)
