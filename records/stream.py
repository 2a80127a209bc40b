"""A split streamed from its shards: any size, flat memory, the same batches on any number of hosts.

The shards are divided into lanes (`records.batches.lane_count`); every lane fills its own rows of every batch and
belongs to one host. Within a lane an epoch is

    its shards in random order -> records -> captions, one row each -> windows of rows, each in random order -> rows

and all of it depends on (seed, epoch, lane, place) only. To start at a later step a lane skips the shards before it,
whose captions the manifest counts, and reads the one shard that the step falls into from its beginning.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records import batches
from records.memory import batch
from records.reader import Split, parsed_blocks

# Captions that all lanes together hold to mix them, about 35 MB at F = 2048. Records lie in the shards in random
# order already (make_records hashes their keys), so the window only has to separate the captions of one image.
_WINDOW_ROWS = 8192


@dataclasses.dataclass(frozen=True)
class _Start:
    """Where a lane begins to read for one step of one epoch.

    Attributes:
      shards: numbers of the shards to read, in order; the shard that holds the step's window first.
      seed: of the order within windows.
      filler: rows to put in front, so that the windows of what is read are those of the whole epoch.
      skip: windows to leave out then, the first of them partly filler.
      window: number of the first window that is used.
      into: rows of that window that the steps before took.
      given: rows that the lane fills in each step, int64 [steps - first step].
    """

    shards: list[int]
    seed: int
    filler: int
    skip: int
    window: int
    into: int
    given: np.ndarray


class Lanes:
    """The division of one split for one global batch size.

    Attributes:
      count: number of lanes; `hosts` must divide it.
      rows: rows of each batch that one lane fills.
      steps: batches in an epoch: until the lane with the most captions has given them all.
    """

    def __init__(self, split: Split, batch_size: int, vocabulary_size: int):
        self._split, self._vocabulary_size = split, vocabulary_size
        self._captions = [shard.captions for shard in split.info.shards]
        self.count = batches.lane_count(self._captions, batch_size)
        self.rows = batch_size // self.count
        self._shards = batches.lane_shards(self._captions, self.count)
        self._totals = [sum(self._captions[i] for i in shards) for shards in self._shards]
        self.steps = batches.lane_steps(self._totals, batch_size)
        self._window = max(_WINDOW_ROWS // batch_size, 1) * self.rows

    def of_host(self, host: int, hosts: int) -> range:
        """Numbers of the lanes that a host owns.

        Raises:
          UserError: the lanes cannot be divided evenly.
        """
        if self.count % hosts:
            split, shards = self._split, len(self._captions)
            raise UserError(
                f"--records_dir={split.records_dir}: the {shards} shards of {split.name} make {self.count} lanes at "
                f"--batch_size={self.rows * self.count}, which {hosts} hosts cannot share evenly; give a --batch_size "
                f"and a number of --shards (make_records) that {hosts} divides, or raise --ram_budget_mb so that the "
                "split is held in memory")
        each = self.count // hosts
        return range(host * each, (host + 1) * each)

    def batches(self, lanes: range, first_step: int, key: tuple[int, int] | None) -> tf.data.Dataset:
        """The rows that the given lanes fill in each batch from `first_step` on.

        Args:
          lanes: numbers of lanes.
          first_step: batches of the epoch to leave out.
          key: (seed, epoch), or None for stored order.
        """
        starts = [self._start(lane, min(first_step, self.steps - 1), key) for lane in lanes]
        shards = tf.ragged.constant([start.shards for start in starts], tf.int64, row_splits_dtype=tf.int64)
        numbers = tf.data.Dataset.from_tensor_slices({
            "shards": shards,
            **{name: tf.constant([getattr(start, name) for start in starts], tf.int64)
               for name in ("seed", "filler", "skip", "window", "into")},
            "given": np.stack([start.given for start in starts])})
        rows = numbers.interleave(lambda start: self._lane(start, mix=key is not None), len(lanes), 1,
                                  num_parallel_calls=len(lanes), deterministic=True)
        # Each lane gives one element a step, so that a batch is the next len(lanes) elements.
        steps = rows.rebatch(self.rows * len(lanes)).map(_trim)
        return steps.skip(1) if first_step == self.steps else steps

    def _start(self, lane: int, first_step: int, key: tuple[int, int] | None) -> "_Start":
        shards = self._shards[lane]
        if key is not None:
            shards = [shards[i] for i in batches.permutation(len(shards), *key, lane)]
        given = batches.lane_rows(self._totals[lane], self.steps)
        window, into = divmod(int(given[:first_step].sum()), self._window)
        before = skipped = 0  # captions in the shards that lie wholly before that window
        while before + self._captions[shards[skipped]] <= window * self._window:
            before += self._captions[shards[skipped]]
            skipped += 1
        return _Start(
            shards=shards[skipped:], seed=batches.word(*key, lane) if key else 0, filler=before % self._window,
            skip=window - before // self._window, window=window, into=into, given=given[first_step:])

    def _lane(self, start: dict[str, tf.Tensor], mix: bool) -> tf.data.Dataset:
        """A lane's rows of each batch: dicts of key [r], feature [r, F], tokens [r, max_tokens]."""
        parsed = parsed_blocks(self._split, start["shards"], self._vocabulary_size).map(self._rows)
        front = tf.data.Dataset.from_tensors(self._empty(start["filler"])).take(tf.sign(start["filler"]))
        windows = front.concatenate(parsed).rebatch(self._window).skip(start["skip"])
        if mix:
            windows = windows.enumerate(start["window"]).map(lambda number, rows: _mix(rows, start["seed"], number))
        # What the steps before took of the first window comes out first, as one element to skip.
        partly = tf.sign(start["into"])
        sizes = tf.concat([start["into"][None][1 - partly:], start["given"]], 0)
        found = windows.rebatch(sizes).skip(partly)

        def fill(given: tf.Tensor, rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            with tf.control_dependencies([tf.debugging.assert_equal(tf.size(rows["key"], tf.int64), given)]):
                empty = self._empty(self.rows - given)
            return {name: tf.ensure_shape(tf.concat([value, empty[name]], 0), [self.rows, *value.shape[1:]])
                    for name, value in rows.items()}

        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(start["given"]), found).map(fill)

    def _rows(self, block: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One row per caption of a parsed block."""
        ragged = tf.RaggedTensor.from_row_lengths(block["tokens"], block["length"], validate=False)
        return {
            "key": tf.gather(block["key"], block["image"]),
            "feature": tf.gather(block["feature"], block["image"]),
            "tokens": ragged.to_tensor(0, shape=[None, self._split.info.max_tokens]),
        }

    def _empty(self, count: tf.Tensor) -> dict[str, tf.Tensor]:
        """`count` rows of zeros and empty keys."""
        return {
            "key": tf.fill([count], ""),
            "feature": tf.zeros([count, self._split.feature_size], tf.float16),
            "tokens": tf.zeros([count, self._split.info.max_tokens], tf.int32),
        }


def _mix(rows: dict[str, tf.Tensor], seed: tf.Tensor, window: tf.Tensor) -> dict[str, tf.Tensor]:
    bits = tf.random.stateless_uniform(tf.shape(rows["key"]), [seed, window], None, None, tf.int64, alg="philox")
    order = tf.argsort(bits, stable=True)
    return {name: tf.gather(value, order) for name, value in rows.items()}


def _trim(rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    longest = tf.reduce_max(tf.math.count_nonzero(rows["tokens"], 1))
    return batch(rows["key"], rows["feature"], rows["tokens"][:, :tf.maximum(longest, 1)])
