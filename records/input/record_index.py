"""Any record of a split, in any order: where each one starts in its shard, found by hopping from header to header.

    index = RecordIndex(open_split(records_dir, "train"))
    index.read([4711, 3])                          # two serialized examples

Streaming reads shards from their beginning; photos are so large that reading each where it lies is as fast, and then
an epoch can have any order, and a restart any place, without a buffer. A record takes 16 bytes of memory here.
"""

import threading
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from etils import epath

from flags.errors import UserError
from records.format.tfrecord import Damage, read_header, read_record
from records.input.shard_reader import Split


class RecordIndex:
    """The records of a split, numbered in stored order: shard by shard, record by record.

    Attributes:
      shard: int32 [n], number of each record's shard.
      offset: int64 [n], where the record starts in it, in bytes.
    """

    def __init__(self, split: Split):
        """Reads every record's header.

        Raises:
          UserError: a shard is damaged, or holds more or fewer records than the manifest says.
        """
        self._split = split
        self._local = threading.local()  # open files are not shared between threads that seek in them
        counts = [shard.examples for shard in split.info.shards]
        self.shard = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        self.offset = np.concatenate([self._offsets(number, count) for number, count in enumerate(counts)])

    def __len__(self) -> int:
        return len(self.offset)

    def read(self, numbers: Sequence[int] | np.ndarray) -> list[bytes]:
        """The data of some records; their checksums are compared.

        Raises:
          UserError: a record is damaged.
        """
        return [self._read(int(number)) for number in numbers]

    def _read(self, number: int) -> bytes:
        shard, offset = int(self.shard[number]), int(self.offset[number])
        file = self._open(shard)
        try:
            file.seek(offset)
            return read_record(file, number, offset)
        except Damage as damage:
            raise self._damaged(shard, damage) from damage

    def _offsets(self, number: int, count: int) -> np.ndarray:
        """int64 [count] of one shard."""
        shard = self._split.info.shards[number]
        offsets = np.zeros(count, np.int64)
        with epath.Path(self._split.path(shard)).open("rb") as file:
            offset = index = 0
            try:
                while offset < shard.bytes:
                    if index < count:
                        offsets[index] = offset
                    file.seek(offset)
                    offset, index = offset + read_header(file, index, offset), index + 1
            except Damage as damage:
                raise self._damaged(number, damage) from damage
        if index != count:
            raise UserError(f"{self._split.path(shard)}: has {index} records, its manifest says {count}; restore it "
                            "from a copy, or run make_records again with --overwrite")
        return offsets

    def _open(self, shard: int) -> BinaryIO:
        files = self._local.__dict__.setdefault("files", {})
        if shard not in files:
            path = self._split.path(self._split.info.shards[shard])
            files[shard] = epath.Path(path).open("rb") if "://" in path else open(path, "rb", buffering=0)
        return files[shard]

    def _damaged(self, shard: int, damage: Damage) -> UserError:
        path = self._split.path(self._split.info.shards[shard])
        return UserError(f"{path}: {damage}; restore it from a copy, or run make_records again with --overwrite")
