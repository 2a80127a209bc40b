"""The features and captions of some shards as arrays, a block of records at a time.

Reads every byte once, compares all checksums and counts, and unpacks only what training needs
(`records.format.example_scan`): NumPy alone, as a tf.data pipeline for each of many reader partitions takes most of a
second to start, in every epoch.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from records.format.example_scan import PADDING, Scanned, Unreadable, scan
from records.format.layout import MANIFEST
from records.format.tfrecord import Damage, spans
from records.input.shard_reader import END, UNK, Split

_SPAN_BYTES = 4 << 20  # read and unpacked at once: enough to spread the cost of NumPy's calls

_AT_ONCE = 64  # features that are looked at while they are in the cache

_RESTORE = "restore it from a copy, or run make_records again with --overwrite"
_AGAIN = "run make_records again with --overwrite"


@dataclasses.dataclass(frozen=True)
class Block:
    """Records that follow each other in a shard: n records, c captions, t tokens.

    Attributes:
      shard, number: number of the shard in its split, and of the block in its shard.
      key: list of n bytes objects.
      feature: float16 [n, F].
      tokens: int32 [t], the words and the <end> of all captions, one after the other.
      length, image: int32 [c], tokens of each caption, and number of its record in the block.
    """

    shard: int
    number: int
    key: list[bytes]
    feature: np.ndarray
    tokens: np.ndarray
    length: np.ndarray
    image: np.ndarray


def read_blocks(split: Split, shards: Iterable[int], vocabulary_size: int, block_records: int, features: bool = True
                ) -> Iterator[Block]:
    """The blocks of the shards with these numbers, in this order.

    Args:
      split: an opened split.
      vocabulary_size: ids from this number on become <unk>.
      block_records: records in a block; the last of a shard may have fewer.
      features: False leaves them on disk; `feature` is then [n, 0].

    Raises:
      UserError: the records have no features; a shard is damaged, cannot be read, holds other records, captions or
        tokens than the manifest says, or a feature that is not finite.
    """
    size = split.feature_size if features else 0
    for shard in shards:
        yield from _Shard(split, shard, size).blocks(vocabulary_size, block_records)


class _Shard:
    """One shard, read from its start."""

    def __init__(self, split: Split, number: int, feature_size: int):
        self._split, self._number, self._feature_size = split, number, feature_size
        self._info = split.info.shards[number]
        self._path = split.path(self._info)

    def blocks(self, vocabulary_size: int, block_records: int) -> Iterator[Block]:
        info, captions, tokens = self._info, 0, 0
        for number, records in enumerate(_regrouped(self._scanned(), block_records)):
            lengths = self._lengths(records)
            image = np.searchsorted(records.limits, np.cumsum(lengths), "left").astype(np.int32) - 1
            ids = np.where(records.tokens >= vocabulary_size, np.int32(UNK), records.tokens)
            captions, tokens = captions + len(lengths), tokens + len(ids)
            yield Block(self._number, number, records.key, records.feature, ids, lengths, image)
        if (captions, tokens) != (info.captions, info.tokens):
            raise self._error(f"holds {captions} captions with {tokens} tokens, {MANIFEST} says {info.captions} with "
                              f"{info.tokens}; {_RESTORE}")

    def _scanned(self) -> Iterator[Scanned]:
        """Its records, some at a time."""
        count, examples = 0, self._info.examples
        try:
            with epath.Path(self._path).open("rb") as file:
                for span in spans(file, _SPAN_BYTES, PADDING):
                    count = span.first + len(span.starts)
                    if count > examples:
                        break
                    try:
                        scanned = scan(span.data, np.array(span.starts), np.array(span.ends), self._feature_size)
                    except Unreadable as error:
                        raise self._error(f"record {span.first + error.record} {error}; {_AGAIN}") from error
                    self._check_finite(scanned)
                    del span  # photos and all; many shards wait at the same time
                    yield scanned
        except Damage as damage:
            raise self._error(f"{damage}; {_RESTORE}") from damage
        except (OSError, tf.errors.OpError) as error:
            raise self._error(f"cannot be read ({error}); --mode=verify_records tells more; {_RESTORE}") from error
        if count != examples:
            raise self._error(f"has {'fewer' if count < examples else 'more'} records than the {examples} that "
                              f"{MANIFEST} says; {_RESTORE}")

    def _check_finite(self, records: Scanned) -> None:
        bits = records.feature.view(np.uint16)
        for at in range(0, len(bits) if self._feature_size else 0, _AT_ONCE):
            exponents = bits[at:at + _AT_ONCE] & 0x7C00  # all of its bits are set in what is not finite
            if exponents.max() == 0x7C00:
                key = records.key[at + int(np.argmax(exponents.max(1) == 0x7C00))]
                raise self._error(f"the feature of {os.fsdecode(key)} holds numbers that are not finite; {_AGAIN}, "
                                  "which names the cause")

    def _lengths(self, records: Scanned) -> np.ndarray:
        """int32 [c], tokens of each caption."""
        filled = records.limits[1:][np.diff(records.limits) > 0]
        if np.any(records.tokens[filled - 1] != END):
            raise self._error(f"a record's tokens do not end with <end>; {_AGAIN}")
        lengths = np.diff(np.flatnonzero(records.tokens == END), prepend=-1).astype(np.int32)
        longest, most = lengths.max(initial=0), self._split.info.max_tokens
        if longest > most:
            raise self._error(f"a caption has {longest} tokens, {MANIFEST} says at most {most}; {_AGAIN}")
        return lengths

    def _error(self, problem: str) -> UserError:
        return UserError(f"{self._path}: {problem}")


def _regrouped(parts: Iterable[Scanned], size: int) -> Iterator[Scanned]:
    """The same records, `size` at a time; the last may have fewer."""
    left: Scanned | None = None
    for records in parts:
        at = min(size - len(left.key), len(records.key)) if left else 0
        if left:
            left = _joined(left, _slice(records, 0, at))
            if len(left.key) == size:
                yield left
                left = None
        while at + size <= len(records.key):
            yield _slice(records, at, at + size)
            at += size
        if at < len(records.key):
            left = _slice(records, at, len(records.key))
        del records
    if left:
        yield left


def _slice(records: Scanned, first: int, end: int) -> Scanned:
    limits = records.limits[first:end + 1]
    return Scanned(records.feature[first:end], records.tokens[limits[0]:limits[-1]], limits - limits[0],
                   records.key[first:end])


def _joined(one: Scanned, other: Scanned) -> Scanned:
    return Scanned(np.concatenate([one.feature, other.feature]), np.concatenate([one.tokens, other.tokens]),
                   np.concatenate([one.limits, other.limits[1:] + one.limits[-1]]), one.key + other.key)
