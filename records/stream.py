"""A split streamed from its shards: any size, flat memory, the same batches on any number of hosts.

The shards are divided into lanes (`records.batches.lane_count`); every lane fills its own rows of every batch and
belongs to one host. Within a lane an epoch is

    its shards in random order -> records -> captions, one row each -> windows of rows, each in random order -> rows

and all of it depends on (seed, epoch, lane, place) only. To start at a later step a lane skips the shards before it,
whose captions the manifest counts, and reads the one shard that the step falls into from its beginning.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records import batches
from records.memory import batch
from records.reader import Split, parsed_blocks

# Captions that all lanes together hold to mix them, about 35 MB at F = 2048. Records lie in the shards in random
# order already (make_records hashes their keys), so the window only has to separate the captions of one image.
_WINDOW_ROWS = 8192


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

    def batches(self, lanes: Sequence[int], first_step: int, key: tuple[int, int] | None) -> tf.data.Dataset:
        """The rows that the given lanes fill in each batch from `first_step` on.

        Args:
          lanes: numbers of lanes, in order.
          first_step: batches of the epoch to leave out.
          key: (seed, epoch), or None for stored order.
        """
        if first_step == self.steps:  # nothing is left, and no shard to look into
            first_step -= 1
            return self.batches(lanes, first_step, key).skip(1)
        given = np.stack([batches.lane_rows(self._totals[lane], self.steps, first_step) for lane in lanes], axis=1)
        parts = tuple(self._lane(lane, first_step, key) for lane in lanes)
        slots = len(lanes) * self.rows

        def join(counts: tf.Tensor, parts: tuple) -> dict[str, tf.Tensor]:
            joined = {name: tf.concat([part[name] for part in parts], 0) for name in parts[0]}
            # Lane i fills places i*rows … of the batch; the places that it leaves get the empty row at the end.
            filled = tf.reshape(tf.range(self.rows) < tf.cast(counts, tf.int32)[:, None], [slots])
            found = tf.size(joined["key"])
            with tf.control_dependencies([tf.debugging.assert_equal(
                    tf.cast(found, tf.int64), tf.reduce_sum(counts), "a lane ended before its last caption")]):
                place = tf.where(filled, tf.cumsum(tf.cast(filled, tf.int32)) - 1, found)
            rows = {name: tf.gather(tf.concat([value, tf.zeros_like(value[:1])], 0), place)
                    for name, value in joined.items()}
            width = tf.maximum(tf.reduce_max(tf.reduce_sum(tf.cast(rows["tokens"] > 0, tf.int32), 1)), 1)
            return batch(rows["key"], rows["feature"], rows["tokens"][:, :width])

        return tf.data.Dataset.zip(tf.data.Dataset.from_tensor_slices(given), parts).map(
            join, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)

    def _lane(self, lane: int, first_step: int, key: tuple[int, int] | None) -> tf.data.Dataset:
        """Dicts of key [q], feature [q, F], tokens [q, max_tokens], q rows for each step from `first_step` on."""
        shards = self._shards[lane]
        if key is not None:
            shards = [shards[i] for i in batches.permutation(len(shards), *key, lane)]
        given = batches.lane_rows(self._totals[lane], self.steps)
        first_row = int(given[:first_step].sum())
        window, into_window = divmod(first_row, self._window)
        before = skipped = 0  # captions in the shards that lie wholly before that window
        while before + self._captions[shards[skipped]] <= window * self._window:
            before += self._captions[shards[skipped]]
            skipped += 1
        # Filler in front makes the windows of what is read coincide with those of the whole epoch.
        filler = self._filler(before % self._window)
        rows = parsed_blocks(self._split, shards[skipped:], self._vocabulary_size).map(self._rows)
        windows = filler.concatenate(rows).rebatch(self._window).skip(window - before // self._window)
        if key is not None:
            def mix(number: tf.Tensor, rows: dict) -> dict:
                seed = [tf.constant(word, tf.int64), number]
                bits = tf.random.stateless_uniform(tf.shape(rows["key"]), seed, None, None, tf.int64, alg="philox")
                order = tf.argsort(bits, stable=True)
                return {name: tf.gather(value, order) for name, value in rows.items()}

            word = batches.word(*key, lane)
            windows = windows.enumerate(window).map(mix)
        # What the steps before took of the first window goes first, as one element to skip.
        sizes = np.concatenate([[into_window] * (into_window > 0), given[first_step:]])
        return windows.rebatch(sizes.astype(np.int64)).skip(int(into_window > 0)).prefetch(2)

    def _rows(self, block: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One row per caption of a parsed block."""
        ragged = tf.RaggedTensor.from_row_lengths(block["tokens"], block["length"], validate=False)
        return {
            "key": tf.gather(block["key"], block["image"]),
            "feature": tf.gather(block["feature"], block["image"]),
            "tokens": ragged.to_tensor(0, shape=[None, self._split.info.max_tokens]),
        }

    def _filler(self, count: int) -> tf.data.Dataset:
        """`count` rows that nobody looks at, in one element; no element for none."""
        rows = {
            "key": tf.fill([count], ""),
            "feature": tf.zeros([count, self._split.feature_size], tf.float16),
            "tokens": tf.zeros([count, self._split.info.max_tokens], tf.int32),
        }
        return tf.data.Dataset.from_tensors(rows).take(int(count > 0))
