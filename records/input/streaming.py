"""A split streamed from its shards: any size, flat memory, the same batches on any number of hosts.

The shards are divided into reader partitions (`records.input.shuffling.partition_count`). Every partition belongs to
one host and fills its own rows of every batch. Within a partition an epoch is

    its shards in random order -> blocks of records -> the captions of a block, one row each, in random order

and the rows of all partitions are cut into chunks of a few steps, within which the captions of a partition are dealt
to the steps by length, so that batches need little padding. All of it depends on (seed, epoch, place) only. To start
at a later step a partition skips the shards before it, whose captions the manifest counts, and reads the shard that
the step falls into from its beginning.

NumPy plans the rows of some chunks and collects their features, each once, and tf.data repeats those for the captions
while NumPy goes on: it starts in milliseconds, where a tf.data pipeline for each partition took 0.6 s of processor time
in every epoch, more than reading 100,000 captions.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.input import shuffling
from records.input.caption_blocks import Block, read_blocks
from records.input.in_memory import batch
from records.input.shard_reader import Split, raised_in_pipeline
from records.util.aligned import aligned_empty
from records.util.counted import counted

# Records that all partitions together hold to mix their captions. Records lie in the shards in random order already
# (make_records hashes their keys), so the blocks only have to separate the captions of one image.
_BLOCK_RECORDS = 2048
_BLOCK_BYTES = 64 << 20  # fewer where stored images are so large that the records would take more than this

# Size of a chunk: at least so many rows and steps, to have rows of different lengths to choose from.
_CHUNK_ROWS = 1024
_CHUNK_STEPS = 8
# Rows that are put together at once, in whole chunks: enough to spread the cost of NumPy's calls.
_JOINED_ROWS = 4096

_FAR = 1 << 32  # more than a shard has blocks


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where a partition begins to read.

    Attributes:
      shards: numbers of the shards to read, in order; the first holds the first row that is given.
      seed: decides the order of captions within blocks.
      skip: rows that earlier steps have taken from that shard.
    """

    shards: list[int]
    seed: int
    skip: int


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
        self._chunks_at_once = max(_JOINED_ROWS // (self._chunk * batch_size), 1)
        record_bytes = sum(shard.bytes for shard in split.info.shards) / split.info.examples
        self._block = max(int(min(_BLOCK_RECORDS, _BLOCK_BYTES / record_bytes)) // self.count, 1)

    def of_host(self, host: int, hosts: int) -> range:
        """Numbers of the partitions that a host owns.

        Raises:
          UserError: the partitions cannot be divided evenly.
        """
        if self.count % hosts:
            split, shards = self._split, len(self._captions)
            make = f"{counted(shards, 'shard')} of {split.name} {'makes' if shards == 1 else 'make'}"
            raise UserError(
                f"--records_dir={split.records_dir}: the {make} {counted(self.count, 'reader partition')} at "
                f"--batch_size={self.rows * self.count}, which {hosts} hosts cannot share evenly; give a --batch_size "
                f"and a number of --shards (make_records) that {hosts} divides, or raise --ram_budget_mb so that the "
                "split is held in memory")
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
        rows = len(partitions) * self.rows
        steps = {"image": tf.TensorSpec([None, rows], tf.int32), "width": tf.TensorSpec([None], tf.int32),
                 "tokens": tf.TensorSpec([None, rows, self._split.info.max_tokens], tf.int32)}
        signature = {"steps": steps, "feature": tf.TensorSpec([None, self._split.feature_size], tf.float16)}
        if keys:
            signature["key"] = tf.TensorSpec([None], tf.string)
        chunks = tf.data.Dataset.from_generator(
            lambda: self._chunks(partitions, first_chunk, key, keys), output_signature=signature)
        # Some are put together while those before them are cut into batches.
        return chunks.prefetch(1).flat_map(_batches).skip(first_step - first_chunk * self._chunk)

    def _chunks(self, partitions: range, first_chunk: int, key: tuple[int, int] | None, keys: bool
                ) -> Iterator[dict[str, Any]]:
        """All chunks from the given one on, some at a time, as `_joined` gives them."""
        starts = [self._start(partition, first_chunk, key) for partition in partitions]
        seed = shuffling.word(*key, self.count) if key else None
        try:
            readers = [_Rows(self._blocks(start, key is not None), start.skip) for start in starts]
            chunks = range(first_chunk, -(-self.steps // self._chunk))
            for at in range(0, len(chunks), self._chunks_at_once):
                yield self._joined(chunks[at:at + self._chunks_at_once], readers, partitions, seed, keys)
            for reader in readers:
                reader.finish()
        except UserError as error:
            raise raised_in_pipeline(error) from error

    def _joined(self, chunks: range, readers: list["_Rows"], partitions: range, seed: int | None, keys: bool
                ) -> dict[str, Any]:
        """The n images of these chunks, the last of them empty, and the captions of their steps in order.

        Returns:
          feature float16 [n, F], key object [n] where asked for, and `steps`: image int32 [steps, B], tokens int32
          [steps, B, max_tokens], and width int32 [steps], the length of each step's longest row.
        """
        first, until = chunks.start * self._chunk, min(chunks.stop * self._chunk, self.steps)
        turn = np.arange(until - first)  # of each step
        chunk_of_step = turn // self._chunk
        if seed is not None:  # lengths must not rise through a chunk, so its steps change places on all hosts alike
            for chunk in chunks:
                at = (chunk - chunks.start) * self._chunk
                order = shuffling.block_order(min(self._chunk, until - first - at), seed, chunk)
                turn[at + order] = at + np.arange(len(order))
        rows, longest = len(readers) * self.rows, self._split.info.max_tokens
        image, tokens = np.full(len(turn) * rows, -1, np.int32), np.zeros((len(turn) * rows, longest), np.int32)
        images = _Images()
        for number, (partition, reader) in enumerate(zip(partitions, readers, strict=True)):
            given = shuffling.partition_rows(self._totals[partition], self.steps, first, until)
            pieces = reader.take(int(given.sum()))
            slot = np.arange(given.sum()) - np.repeat(np.cumsum(given) - given, given)
            place = np.repeat(turn * rows, given) + number * self.rows + slot  # of each row
            if seed is not None:
                lengths = np.concatenate([piece.length for piece in pieces])
                place[np.lexsort((lengths, np.repeat(chunk_of_step, given)))] = place.copy()
            at = 0
            for piece in pieces:
                here = place[at:at + len(piece.length)]
                image[here], tokens[here] = images.add(piece), piece.tokens
                at += len(here)
        image[image < 0] = images.count  # the empty one
        shape = len(turn), rows
        width = np.maximum(np.count_nonzero(tokens.reshape(*shape, longest), 2).max(1, initial=1), 1).astype(np.int32)
        steps = {"image": image.reshape(shape), "tokens": tokens.reshape(*shape, longest), "width": width}
        joined = {"feature": images.features(self._split.feature_size), "steps": steps}
        return joined | {"key": images.keys()} if keys else joined

    def _start(self, partition: int, first_chunk: int, key: tuple[int, int] | None) -> _Start:
        shards = self._shards[partition]
        if key is not None:
            shards = [shards[i] for i in shuffling.permutation(len(shards), *key, partition)]
        first_row = int(shuffling.partition_rows(self._totals[partition], self.steps)[:first_chunk * self._chunk].sum())
        skipped = 0
        while first_row >= self._captions[shards[skipped]]:
            first_row -= self._captions[shards[skipped]]
            skipped += 1
        return _Start(shards[skipped:], shuffling.word(*key, partition) if key else 0, first_row)

    def _blocks(self, start: _Start, mix: bool) -> Iterator["_Piece"]:
        """A partition's rows, block by block."""
        longest = self._split.info.max_tokens
        for block in read_blocks(self._split, start.shards, self._vocabulary_size, self._block):
            tokens = np.zeros((len(block.length), longest), np.int32)
            tokens[np.arange(longest) < block.length[:, None]] = block.tokens
            piece = _Piece(block, block.image, block.length, tokens)
            if mix:
                order = shuffling.block_order(len(tokens), start.seed, block.shard * _FAR + block.number)
                piece = _Piece(block, block.image[order], block.length[order], tokens[order])
            yield piece


@dataclasses.dataclass(frozen=True)
class _Piece:
    """Rows of one block: image int32 [n], length int32 [n], tokens int32 [n, max_tokens]."""

    block: Block
    image: np.ndarray
    length: np.ndarray
    tokens: np.ndarray

    def cut(self, first: int, end: int | None = None) -> "_Piece":
        of = slice(first, end)
        return _Piece(self.block, self.image[of], self.length[of], self.tokens[of])


class _Images:
    """The images of some pieces, each once, and an empty one behind them.

    Attributes:
      count: how many there are, without the empty one.
    """

    def __init__(self) -> None:
        self.count = 0
        self._records: list[tuple[Block, np.ndarray]] = []  # which records of a block

    def add(self, piece: _Piece) -> np.ndarray:
        """Takes those of a piece; returns the number of each row's image here, int64 [n]."""
        is_here = np.zeros(len(piece.block.key), bool)
        is_here[piece.image] = True
        numbers = (self.count - 1 + np.cumsum(is_here))[piece.image]
        self._records.append((piece.block, np.flatnonzero(is_here)))
        self.count += len(self._records[-1][1])
        return numbers

    def features(self, size: int) -> np.ndarray:
        """float16 [count + 1, size]."""
        result = aligned_empty((self.count + 1, size), np.float16)
        result[-1] = at = 0
        for block, records in self._records:
            np.take(block.feature, records, 0, result[at:at + len(records)], "clip")
            at += len(records)
        return result

    def keys(self) -> np.ndarray:
        """object [count + 1]."""
        return np.array([*(block.key[number] for block, records in self._records for number in records.tolist()), b""],
                        object)


class _Rows:
    """The rows of a partition, any number at a time."""

    def __init__(self, pieces: Iterator[_Piece], skip: int):
        self._pieces = pieces
        self._left: _Piece | None = None
        while skip:
            skip -= sum(len(piece.length) for piece in self.take(min(skip, _CHUNK_ROWS)))

    def take(self, count: int) -> list[_Piece]:
        """The next `count` rows."""
        taken = []
        while count:
            piece = self._left or next(self._pieces)
            taken.append(piece.cut(0, count))
            count -= len(taken[-1].length)
            self._left = piece.cut(len(taken[-1].length)) if len(taken[-1].length) < len(piece.length) else None
        return taken

    def finish(self) -> None:
        """Reads on to the end of the last shard, so that whatever it has too much is noticed."""
        for _ in self._pieces:
            pass


def _batches(chunk: dict[str, Any]) -> tf.data.Dataset:
    """The batch of each of its steps, as wide as the longest of its rows."""
    def rows(step: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        rows = batch(tf.gather(chunk["feature"], step["image"]), step["tokens"][:, :step["width"]])
        return rows | {"key": tf.gather(chunk["key"], step["image"])} if "key" in chunk else rows

    return tf.data.Dataset.from_tensor_slices(chunk["steps"]).map(rows)
