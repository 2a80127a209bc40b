"""Which captions make up which batch."""

import numpy as np
import pytest
import tensorflow as tf

from records.input import shuffling


@pytest.mark.parametrize("count", [1, 4, 10, 64, 1000])
@pytest.mark.parametrize("bucket_batches", [1, 3, 16])
def test_an_epoch_has_every_caption_once_and_is_padded_at_its_end_only(count, bucket_batches):
    lengths = np.random.default_rng(0).integers(1, 30, count)
    plan = shuffling.epoch_plan(lengths, 4, bucket_batches, seed=1, epoch=2)
    assert plan.shape == (-(-count // 4), 4)
    flat = plan.reshape(-1)
    assert sorted(flat[:count]) == list(range(count))
    assert (flat[count:] == count).all()


def test_orders_differ_by_seed_and_epoch_and_repeat():
    lengths = np.random.default_rng(0).integers(1, 30, 100)
    plans = [shuffling.epoch_plan(lengths, 8, 4, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({plan.tobytes() for plan in plans}) == 4
    np.testing.assert_array_equal(plans[3], shuffling.epoch_plan(lengths, 8, 4, 1, 1))


def test_the_order_is_the_same_on_every_version_of_numpy():
    assert shuffling.permutation(10, 0, 0).tolist() == [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
    assert shuffling.word(3, 1, 4) == 3238617329510114034


def test_buckets_halve_the_padding_and_keep_batches_in_random_order():
    lengths = np.random.default_rng(0).poisson(10, 6400) + 1
    padding = {}
    for bucket_batches in (1, 16):
        rows = lengths[shuffling.epoch_plan(lengths, 64, bucket_batches, 0, 0)]
        padding[bucket_batches] = rows.max(1).sum() * 64 - rows.sum()
        trend = np.corrcoef(np.arange(len(rows)), rows.mean(1))[0, 1]
        assert abs(trend) < 0.3
    assert padding[16] < padding[1] / 2


@pytest.mark.parametrize("shards, batch_size, partitions", [
    (16, 64, 16), (6, 48, 6), (7, 64, 1), (32, 64, 16), (24, 48, 12), (10, 64, 2), (1, 64, 1)])
def test_partitions_divide_shards_and_batch(shards, batch_size, partitions):
    assert shuffling.partition_count([1000] * shards, batch_size) == partitions


@pytest.mark.parametrize("shards, batch_size, hosts, partitions", [
    (64, 512, 16, 16), (64, 512, 17, 16), (64, 512, 32, 64), (96, 960, 24, 96), (120, 480, 40, 120), (64, 512, 64, 64)])
def test_more_than_16_hosts_have_partitions_for_all_of_them(shards, batch_size, hosts, partitions):
    assert shuffling.partition_count([1000] * shards, batch_size, hosts) == partitions


def test_a_partition_that_would_run_dry_is_not_made():
    assert shuffling.partition_count([1000, 1, 1000, 1], 4) == 2  # four partitions of one row would idle for 999 steps
    assert shuffling.partition_count([1000, 0], 2) == 1


def test_partitions_have_equally_many_shards_and_about_equally_many_captions():
    captions = [90, 10, 50, 51, 60, 40, 70, 30]
    partitions = shuffling.partition_shards(captions, 4)
    assert sorted(shard for partition in partitions for shard in partition) == list(range(8))
    assert {len(partition) for partition in partitions} == {2}
    totals = [sum(captions[i] for i in partition) for partition in partitions]
    assert max(totals) - min(totals) <= 1


@pytest.mark.parametrize("total, steps", [(10, 4), (13, 7), (7, 7), (1000, 63)])
def test_a_partition_spreads_its_captions_evenly_over_the_epoch(total, steps):
    rows = shuffling.partition_rows(total, steps)
    assert rows.sum() == total and rows.max() - rows.min() <= 1
    np.testing.assert_array_equal(shuffling.partition_rows(total, steps, 3), rows[3:])
    np.testing.assert_array_equal(shuffling.partition_rows(total, steps, 1, 3), rows[1:3])


@pytest.mark.parametrize("count, seed", [(0, (0, 0)), (1, (1, 2)), (641, (123456789123, (5 << 32) + 3))])
def test_blocks_are_ordered_by_the_bits_of_tensorflow(count, seed):
    bits = tf.random.stateless_uniform([count], tf.constant(seed, tf.int64), None, None, tf.int64, alg="philox")
    np.testing.assert_array_equal(shuffling.block_order(count, *seed), np.argsort(bits.numpy(), kind="stable"))
