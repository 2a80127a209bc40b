"""A split streamed from its shards: any size, flat memory, the same batches on any number of hosts.

The shards are divided into reader partitions (`records.input.shuffling.partition_count`). Every partition belongs to
one host and fills its own rows of every batch. Within a partition an epoch is

    its shards in random order -> blocks of records -> the captions of a block, one row each, in random order

and the rows of all partitions are cut into chunks of a few steps, within which the captions of a partition are dealt
to the steps by length, so that batches need little padding. All of it depends on (seed, epoch, place) only. To start
at a later step a partition skips the shards before it, whose captions the manifest counts, and reads the shard that
the step falls into from its beginning.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.input import shuffling
from records.input.in_memory import batch
from records.input.shard_reader import Split, parsed_blocks

# Records that all partitions together hold to mix their captions. Records lie in the shards in random order already
# (make_records hashes their keys), so the blocks only have to separate the captions of one image.
_BLOCK_RECORDS = 2048
_BLOCK_BYTES = 64 << 20  # fewer where stored images are so large that the records would take more than this

# Size of a chunk: at least so many rows and steps, for the steps to share the cost of joining the partitions and to
# have rows of different lengths to choose from.
_CHUNK_ROWS = 1024
_CHUNK_STEPS = 8

_FAR = 1 << 32  # more than a shard has blocks


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where a partition begins to read.

    Attributes:
      shards: numbers of the shards to read, in order; the first holds the first row that is given.
      seed: decides the order of captions within blocks.
      skip: how many elements of `sizes` come first that earlier steps have taken from that shard, and are dropped.
      sizes: rows of each element: those to skip, then one element for each chunk.
    """

    shards: list[int]
    seed: int
    skip: int
    sizes: list[int]


class Partitions:
    """The division of one split for one global batch size, among up to 16 hosts or among more.

    Attributes:
      count: number of partitions; `hosts` must divide it.
      rows: rows of each batch that one partition fills.
      steps: batches in an epoch: until the partition with the most captions has given them all.
    """

    def __init__(self, split: Split, batch_size: int, vocabulary_size: int, hosts: int = 1):
        self._split, self._vocabulary_size = split, vocabulary_size
        self._captions = [shard.captions for shard in split.info.shards]
        self.count = shuffling.partition_count(self._captions, batch_size, hosts)
        self.rows = batch_size // self.count
        self._shards = shuffling.partition_shards(self._captions, self.count)
        self._totals = [sum(self._captions[i] for i in shards) for shards in self._shards]
        self.steps = shuffling.partition_steps(self._totals, batch_size)
        self._chunk = max(_CHUNK_ROWS // batch_size, _CHUNK_STEPS)
        record_bytes = sum(shard.bytes for shard in split.info.shards) / split.info.examples
        self._graphs: dict[tuple[range, bool, bool], tuple[Callable, Callable]] = {}
        self._block = max(int(min(_BLOCK_RECORDS, _BLOCK_BYTES / record_bytes)) // self.count, 1)

    def of_host(self, host: int, hosts: int) -> range:
        """Numbers of the partitions that a host owns.

        Raises:
          UserError: the partitions cannot be divided evenly.
        """
        if self.count % hosts:
            split, shards = self._split, len(self._captions)
            raise UserError(
                f"--records_dir={split.records_dir}: the {shards} shards of {split.name} make {self.count} reader "
                f"partitions at --batch_size={self.rows * self.count}, which {hosts} hosts cannot share evenly; give "
                f"a --batch_size and a number of --shards (make_records) that {hosts} divides, or raise "
                "--ram_budget_mb so that the split is held in memory")
        each = self.count // hosts
        return range(host * each, (host + 1) * each)

    def batches(self, partitions: range, first_step: int, key: tuple[int, int] | None, keys: bool) -> tf.data.Dataset:
        """The rows that the given partitions fill in each batch from `first_step` on.

        Args:
          partitions: numbers of partitions.
          first_step: batches of the epoch to leave out.
          key: (seed, epoch), or None for stored order.
          keys: whether batches have the images' keys.
        """
        first_chunk = min(first_step, self.steps - 1) // self._chunk
        starts = [self._start(partition, first_chunk, key) for partition in partitions]
        numbers = tf.data.Dataset.from_tensor_slices({
            "shards": tf.ragged.constant([start.shards for start in starts], tf.int64, row_splits_dtype=tf.int64),
            "sizes": tf.ragged.constant([start.sizes for start in starts], tf.int64, row_splits_dtype=tf.int64),
            "seed": tf.constant([start.seed for start in starts], tf.int64),
            "skip": tf.constant([start.skip for start in starts], tf.int64)})
        read, cut = self._traced(partitions, key is not None, keys)
        # Each partition gives one element a chunk, so that a chunk is the next len(partitions) elements.
        chunks = numbers.interleave(read, len(partitions), 1, num_parallel_calls=len(partitions), deterministic=True)
        seed = tf.constant(shuffling.word(*key, self.count) if key else 0, tf.int64)
        steps = chunks.padded_batch(len(partitions)).enumerate(first_chunk).flat_map(
            lambda chunk, rows: cut(chunk, rows, seed))
        return steps.skip(first_step - first_chunk * self._chunk)

    def _traced(self, partitions: range, mix: bool, keys: bool) -> tuple[Callable, Callable]:
        """`_partition` and `_steps` as graphs that are made once, because that takes longer than a short epoch."""
        if (partitions, mix, keys) not in self._graphs:
            totals = [self._totals[partition] for partition in partitions]
            self._graphs[partitions, mix, keys] = (
                tf.function(lambda start: self._partition(start, mix, keys), autograph=False),
                tf.function(lambda chunk, rows, seed: self._steps(chunk, rows, totals, seed if mix else None),
                            autograph=False))
        return self._graphs[partitions, mix, keys]

    def _steps(self, chunk: tf.Tensor, rows: dict[str, tf.Tensor], totals: list[int], seed: tf.Tensor | None
               ) -> tf.data.Dataset:
        """The batches of one chunk, from its rows [partitions, most rows of a partition, …]."""
        step = tf.range(chunk * self._chunk, tf.minimum((chunk + 1) * self._chunk, self.steps))
        before, until = (tf.constant(totals, tf.int64)[:, None] * at // self.steps for at in (step, step + 1))
        given = until - before  # [partitions, steps]: as shuffling.partition_rows, for this chunk only
        length = tf.math.count_nonzero(rows["tokens"], 2)
        order = tf.range(tf.size(length))
        if seed is not None:
            longer = tf.where(length > 0, length, self._split.info.max_tokens + 1)  # padding comes last
            order = tf.argsort(longer, axis=1, stable=True)
            order = order + tf.range(len(totals))[:, None] * tf.shape(order)[1]
            # Lengths must not rise through the chunk, so its steps change places, on every host the same way.
            bits = tf.random.stateless_uniform(tf.shape(step), [seed, chunk], None, None, tf.int64, alg="philox")
            shuffled = tf.argsort(bits, stable=True)
        partition = tf.range(len(totals), dtype=tf.int64) * tf.shape(length, tf.int64)[1]
        first = partition[:, None] + tf.cumsum(given, axis=1, exclusive=True)
        slot = tf.range(self.rows, dtype=tf.int64)
        place = tf.where(slot < given[:, :, None], first[:, :, None] + slot, tf.size(order, tf.int64))
        place = tf.reshape(tf.transpose(place, [1, 0, 2]), [-1, len(totals) * self.rows])  # [steps, rows]
        chosen = tf.gather(tf.concat([tf.reshape(order, [-1]), [-1]], 0),
                           tf.gather(place, shuffled) if seed is not None else place)
        rows = {name: tf.reshape(value, [-1, *value.shape[2:]]) for name, value in rows.items()}
        length = tf.reshape(length, [-1])
        return tf.data.Dataset.range(tf.size(step, tf.int64)).map(
            lambda row: _choose(rows, length, tf.ensure_shape(tf.gather(chosen, row), [len(totals) * self.rows])))

    def _start(self, partition: int, first_chunk: int, key: tuple[int, int] | None) -> _Start:
        shards = self._shards[partition]
        if key is not None:
            shards = [shards[i] for i in shuffling.permutation(len(shards), *key, partition)]
        first_row = int(shuffling.partition_rows(self._totals[partition], self.steps)[:first_chunk * self._chunk].sum())
        skipped = 0
        while first_row >= self._captions[shards[skipped]]:
            first_row -= self._captions[shards[skipped]]
            skipped += 1
        # What is skipped of a shard is taken in pieces, each of them small in memory.
        skip = [_CHUNK_ROWS] * (first_row // _CHUNK_ROWS) + [first_row % _CHUNK_ROWS] * (first_row % _CHUNK_ROWS > 0)
        chunks = self._given(range(partition, partition + 1), first_chunk)[0].tolist()
        return _Start(shards[skipped:], shuffling.word(*key, partition) if key else 0, len(skip), skip + chunks)

    def _given(self, partitions: range, first_chunk: int) -> np.ndarray:
        """int64 [partitions, chunks]: rows that each partition gives to each chunk from `first_chunk` on."""
        steps = range(first_chunk * self._chunk, self.steps, self._chunk)
        given = [shuffling.partition_rows(self._totals[partition], self.steps) for partition in partitions]
        return np.array([[rows[step:step + self._chunk].sum() for step in steps] for rows in given], np.int64)

    def _partition(self, start: dict[str, tf.Tensor], mix: bool, keys: bool) -> tf.data.Dataset:
        """A partition's rows of each chunk: dicts of feature [n, F], tokens [n, max_tokens] and, if asked, key [n]."""
        blocks = parsed_blocks(self._split, start["shards"], self._vocabulary_size, self._block)
        rows = blocks.map(lambda shard, number, block: self._rows(
            block, [start["seed"], shard * _FAR + number] if mix else None, keys))
        return rows.rebatch(start["sizes"]).skip(start["skip"])

    def _rows(self, block: dict[str, tf.Tensor], seed: list[tf.Tensor] | None, keys: bool) -> dict[str, tf.Tensor]:
        """One row per caption of a parsed block."""
        ragged = tf.RaggedTensor.from_row_lengths(block["tokens"], block["length"], validate=False)
        image, tokens = block["image"], ragged.to_tensor(0, shape=[None, self._split.info.max_tokens])
        if seed is not None:
            bits = tf.random.stateless_uniform(tf.shape(image), seed, None, None, tf.int64, alg="philox")
            order = tf.argsort(bits, stable=True)
            image, tokens = tf.gather(image, order), tf.gather(tokens, order)
        rows = {"feature": tf.gather(block["feature"], image), "tokens": tokens}
        return rows | {"key": tf.gather(block["key"], image)} if keys else rows


def _choose(rows: dict[str, tf.Tensor], length: tf.Tensor, chosen: tf.Tensor) -> dict[str, tf.Tensor]:
    """The batch of the rows with the numbers `chosen`, int32 [b]; -1 stands for an empty row, all zeros."""
    real, at = chosen >= 0, tf.maximum(chosen, 0)
    width = tf.reduce_max(tf.where(real, tf.gather(length, at), 1))
    targets = tf.where(real[:, None], tf.gather(rows["tokens"], at)[:, :width], 0)
    feature = tf.gather(rows["feature"], at)
    feature = tf.cond(tf.reduce_all(real), lambda: feature, lambda: tf.where(real[:, None], feature, 0))
    chosen_rows = batch(feature, targets)
    return chosen_rows | {"key": tf.where(real, tf.gather(rows["key"], at), "")} if "key" in rows else chosen_rows
