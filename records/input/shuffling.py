"""Which captions make up which batch: pure functions of counts, lengths, the seed and the epoch. NumPy only.

Random order comes from raw Philox output (J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011),
whose stream NumPy promises never to change, sorted stably: a run continued next year gets the same batches.
"""

import math
from collections.abc import Sequence

import numpy as np


def permutation(count: int, *key: int) -> np.ndarray:
    """The numbers 0 … count-1 in an order that depends on the integers of `key` only; int64 [count]."""
    bits = np.random.Philox(np.random.SeedSequence(key)).random_raw(count)
    return np.argsort(bits, kind="stable")


def word(*key: int) -> int:
    """63 random bits that depend on the integers of `key` only, to seed TensorFlow's stateless random ops."""
    return int(np.random.Philox(np.random.SeedSequence(key)).random_raw() >> 1)


_SCRAMBLING_KEY = 0x02461E293EC8F720  # of TensorFlow's stateless_random_ops
_MULTIPLIERS, _WEYL = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
_EVEN_MULTIPLIERS = np.array(_MULTIPLIERS, np.uint64)[:, None]
_ROUNDS = 10
_WORD = 0xFFFFFFFF


def block_order(count: int, *seed: int) -> np.ndarray:
    """The numbers 0 … count-1 in an order that depends on the two integers of `seed` only; int64 [count].

    The bits are those of tf.random.stateless_uniform([count], seed, None, None, tf.int64, alg="philox"), whose some
    twenty operations take longer outside of a graph, and here need no TensorFlow.
    """
    key, counter = philox_4x32(_SCRAMBLING_KEY, *seed)
    bits = philox_4x32_of_many(key, (count + 1) // 2, counter).reshape(-1)[:count]
    return np.argsort(bits.view(np.int64), kind="stable")


def philox_4x32(key: int, low: int, high: int) -> tuple[int, int]:
    """Philox4x32-10 of the 128-bit counter (low, high), both 64 bits, in as many bits.

    In Python's integers, which for one counter take a tenth of the time of NumPy's arrays.
    """
    words = [low & _WORD, low >> 32 & _WORD, high & _WORD, high >> 32 & _WORD]
    for keys in _round_keys(key):
        first, second = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        words = [second >> 32 ^ words[1] ^ keys[0], second & _WORD, first >> 32 ^ words[3] ^ keys[1], first & _WORD]
    return words[0] | words[1] << 32, words[2] | words[3] << 32


def philox_4x32_of_many(key: int, count: int, high: int) -> np.ndarray:
    """The same of the counters (0, high) to (count - 1, high): uint64 [count, 2]."""
    even, odd = np.empty((2, count), np.uint64), np.zeros((2, count), "<u4")  # words 0 and 2, words 1 and 3
    even[0], even[1], odd[1] = np.arange(count), high & _WORD, high >> 32
    for keys in np.array(_round_keys(key), "<u4")[:, :, None]:
        halves = (even * _EVEN_MULTIPLIERS).view("<u4")[::-1]
        even, odd = np.bitwise_xor(halves[:, 1::2] ^ odd, keys, dtype=np.uint64), halves[:, ::2]
    return (even | odd.astype(np.uint64) << np.uint64(32)).T


def _round_keys(key: int) -> list[tuple[int, int]]:
    """Both words of the key of each round."""
    return [((key & _WORD) + n * _WEYL[0] & _WORD, (key >> 32) + n * _WEYL[1] & _WORD) for n in range(_ROUNDS)]


def epoch_plan(lengths: np.ndarray, batch_size: int, bucket_batches: int, seed: int, epoch: int) -> np.ndarray:
    """The batches of one epoch over captions 0 … n-1, each caption exactly once.

    The captions are permuted. The remainder that fills no batch becomes the last batch. The others are cut into windows
    of `bucket_batches` batches; each window is sorted by length and cut into batches, and all full batches are
    permuted. The captions of a batch are then about equally long, so little of it is padding.
    Example: 10 captions, batch_size 4: two full batches in random order, then one of 2 captions.

    Args:
      lengths: tokens of each caption, int [n].
      batch_size: captions in the global batch.
      bucket_batches: batches in a window; 1 keeps the plain permutation.

    Returns:
      int32 [ceil(n / batch_size), batch_size] caption numbers; n stands for an empty row.
    """
    count = len(lengths)
    order = permutation(count, seed, epoch)
    full = count // batch_size
    batches = order[:full * batch_size].reshape(full, batch_size)
    if bucket_batches > 1:
        for first in range(0, full, bucket_batches):
            window = batches[first:first + bucket_batches].reshape(-1)
            window = window[np.argsort(lengths[window], kind="stable")]
            batches[first:first + bucket_batches] = window.reshape(-1, batch_size)
        batches = batches[permutation(full, seed, epoch, 1)]
    return pad_plan(np.concatenate([batches.reshape(-1), order[full * batch_size:]]), batch_size)


def pad_plan(order: np.ndarray, batch_size: int) -> np.ndarray:
    """Cuts `order`, the numbers 0 … n-1, into batches: int32 [steps, batch_size]; n stands for an empty row."""
    count = len(order)
    steps = math.ceil(count / batch_size)
    plan = np.full(steps * batch_size, count, np.int32)
    plan[:count] = order
    return plan.reshape(steps, batch_size)


_PARTITIONS = 16  # one host reads no faster from more
_OF_A_HOST = 4  # enough to read ahead


def partition_count(captions: Sequence[int], batch_size: int, hosts: int = 1) -> int:
    """The number of reader partitions of a streamed split: a pure function of its shards and the batch size, for up to
    16 hosts.

    A partition is a fixed set of shards that fills a fixed range of the rows of every batch, so that any host that is
    given whole partitions reads its own shards only. The number must divide both the shards and the batch size; it is
    the largest such number up to 16 for which every partition has a caption for every step. More hosts than that need
    more: then it is the largest that gives each host the same number of them, up to 4.
    Examples: 16 shards, batch 64: 16 partitions of one shard, 4 rows each. 6 shards, batch 48: 6 partitions of 8 rows.
    7 shards, batch 64: one partition. 96 shards, batch 960, 24 hosts: 96 partitions, 4 for each host.

    Args:
      captions: captions of each shard.
      batch_size: captions in the global batch.
    """
    common = math.gcd(len(captions), batch_size)
    numbers = [*range(min(common, _PARTITIONS), 1, -1)]
    if hosts > _PARTITIONS:
        numbers = [*range(_OF_A_HOST * hosts, 0, -hosts), *numbers]
    for partitions in numbers:
        if common % partitions == 0:
            totals = [sum(captions[i] for i in shards) for shards in partition_shards(captions, partitions)]
            if min(totals) >= partition_steps(totals, batch_size):
                return partitions
    return 1


def partition_shards(captions: Sequence[int], partitions: int) -> list[list[int]]:
    """Shard numbers of each partition, equally many in each, with about equally many captions in each.

    The shards, largest first, are dealt to the partitions there and back: 0 1 2 2 1 0 0 1 2 …
    """
    by_size = sorted(range(len(captions)), key=lambda i: (-captions[i], i))
    result: list[list[int]] = [[] for _ in range(partitions)]
    for place, shard in enumerate(by_size):
        turn, partition = divmod(place, partitions)
        result[partition if turn % 2 == 0 else partitions - 1 - partition].append(shard)
    return [sorted(shards) for shards in result]


def partition_steps(totals: Sequence[int], batch_size: int) -> int:
    """Steps of an epoch: until every partition has given all its captions, at most batch_size / partitions a step."""
    return math.ceil(max(totals) / (batch_size // len(totals)))


def partition_rows(total: int, steps: int, first_step: int = 0, end_step: int | None = None) -> np.ndarray:
    """int64 [end_step - first_step]: captions that a partition with `total` captions gives in each of these steps.

    They are spread evenly over all `steps`: a partition with 10 captions for 4 steps gives 2, 3, 2, 3. The other rows
    are padding.
    """
    until = np.arange(first_step, (steps if end_step is None else end_step) + 1, dtype=np.int64) * total // steps
    return np.diff(until)
