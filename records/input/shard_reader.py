"""Opens a split of a records folder and reads its shards; missing or damaged data is always noticed.

    split = open_split(records_dir, "train")
    for example in images(split): ...        # one dict per image, in stored order

TensorFlow reads a TFRecord file that was cut at a record boundary without an error, so every reader here counts:
records, captions and tokens of each shard must be what manifest.json says, or iteration raises. `reading_errors`
turns what tf.data raises into the one line that a user sees.
"""

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Iterator

import tensorflow as tf
from etils import epath

from flags.errors import UserError
from records.format import joined
from records.format import manifest as manifest_lib
from records.format.example import TAG_IDS
from records.format.layout import MANIFEST, TAGS
from records.util.hashing import file_sha256

END, UNK = 1, 2  # word ids, as in records.text.vocabulary

# Records parsed by one op: enough to spread its cost, few enough that photos of a megabyte each stay affordable.
READ_BATCH = 64

_BUFFER_BYTES = 1 << 18  # per open file; many partitions may be open at once

_MARK = "records: "
_STOP = " :records"


@dataclasses.dataclass(frozen=True)
class Split:
    """A split whose files were checked when it was opened.

    Attributes:
      records_dir: the folder, or several, as given.
      name: "train", "validation", …
      manifest: the whole folder's manifest.
      info: this split's part of it: examples, captions, tokens (<end> included), max_tokens, shards.
    """

    records_dir: str
    name: str
    manifest: manifest_lib.Manifest
    info: manifest_lib.SplitInfo

    @functools.cached_property
    def _paths(self) -> dict[str, str]:
        return dict(zip([shard.file for shard in self.manifest.splits[self.name].shards],
                        joined.paths(self.records_dir, self.name), strict=True))

    @property
    def feature_size(self) -> int:
        """F, the length of one feature vector.

        Raises:
          UserError: the records were made without features.
        """
        backbone = self.manifest.backbone
        if backbone is None:
            raise UserError(f"--records_dir={self.records_dir}: its examples carry no feature (they were made with "
                            "--backbone=none); run make_records again with --backbone=resnet50, or another backbone")
        return backbone.feature_size

    def path(self, shard: manifest_lib.ShardInfo) -> str:
        """Where a shard of this split is."""
        if len(joined.folders(self.records_dir)) == 1:
            return str(epath.Path(self.records_dir) / shard.file)
        return self._paths[shard.file]


def open_split(records_dir: epath.PathLike, split: str, check_sha256: bool = False) -> Split:
    """Opens one split after checking that every file of the folder is there with its size.

    Args:
      records_dir: a folder that make_records wrote, or several separated by commas.
      split: name of a split in it.
      check_sha256: reads every shard of the split once more to compare its hash too.

    Raises:
      UserError: no records folder, no such split, an empty split, or a file that is not what the manifest says.
    """
    manifest = joined.load(records_dir)
    joined.check_sizes(records_dir)
    info = manifest.splits.get(split)
    if info is None:
        raise UserError(f"--records_dir={records_dir}: has no split {split!r}, it has {', '.join(manifest.splits)}; "
                        "choose one of those, or run make_records with other --split_lists or --split_fractions")
    if not info.captions:
        raise UserError(f"--records_dir={records_dir}: its split {split!r} is empty; run make_records with other "
                        "--split_lists or --split_fractions")
    opened = Split(str(records_dir), split, manifest, info)
    if check_sha256:
        for shard in info.shards:
            _check_hash(opened.path(shard), shard.sha256)
    return opened


def _check_hash(path: str, expected: str) -> None:
    if (sha256 := file_sha256(path)) != expected:
        raise UserError(f"{path}: its sha256 is {sha256}, {MANIFEST} says {expected}; restore it "
                        "from a copy, or run make_records again with --overwrite")


@contextlib.contextmanager
def reading_errors(records_dir: epath.PathLike) -> Iterator[None]:
    """Context to iterate in: errors that tf.data raises because of damaged shards become UserError.

    Raises:
      UserError: a shard is cut, has a flipped byte, vanished, or disagrees with the manifest.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        match = re.search(f"{_MARK}(.*?){_STOP}", str(error), re.DOTALL)
        if not match:
            raise
        raise UserError(match[1]) from error
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        raise UserError(f"--records_dir={records_dir}: a shard cannot be read ({error.message}); --mode=verify_records "
                        "names it; restore it from a copy, or run make_records again with --overwrite") from error


def raised_in_pipeline(error: UserError) -> ValueError:
    """What Python code inside a tf.data pipeline raises, so that `reading_errors` finds the error again."""
    return ValueError(f"{_MARK}{error}{_STOP}")


# Nothing to convert in these functions, and looking for it takes longer than reading a small split.
_without_autograph = tf.autograph.experimental.do_not_convert


def _require(condition: tf.Tensor, *parts: str | tf.Tensor) -> tf.Operation:
    """Asserts `condition` with a message that `reading_errors` shows: `parts`, strings and integer tensors, joined."""
    texts = [part if isinstance(part, str) else part if part.dtype == tf.string else tf.strings.as_string(part)
             for part in parts]
    return tf.debugging.Assert(condition, [tf.strings.join([_MARK, *texts, _STOP])])


def _blocks(split: Split, shards: tf.Tensor, size: int) -> tf.data.Dataset:
    """Tuples (serialized string [n], shard number, block number, blocks of the shard).

    n is `size`, or fewer in a shard's last block. After its last block a shard gives one empty block, number `blocks`.
    More or fewer records than in the manifest raise InvalidArgumentError.
    """
    paths = tf.constant([os.fsencode(split.path(shard)) for shard in split.info.shards], tf.string)
    examples_of = tf.constant([shard.examples for shard in split.info.shards], tf.int64)
    nothing = tf.data.Dataset.from_tensors(tf.constant([], tf.string)).repeat()

    @_without_autograph
    def read(shard: tf.Tensor) -> tf.data.Dataset:
        path, examples = paths[shard], examples_of[shard]
        blocks = (examples + size - 1) // size

        def counted(block: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
            count = tf.size(serialized, tf.int64)
            expected = tf.clip_by_value(examples - block * size, 0, size)
            with tf.control_dependencies([_require(
                    tf.equal(count, expected), path, ": has ", tf.where(count < expected, "fewer", "more"),
                    " records than the ", examples, f" that {MANIFEST} says; restore it from a copy, or run "
                    "make_records again with --overwrite")]):
                return tf.identity(serialized), shard, block, blocks

        data = tf.data.TFRecordDataset(path, buffer_size=_BUFFER_BYTES).batch(size).concatenate(nothing)
        return tf.data.Dataset.zip(tf.data.Dataset.range(blocks + 1), data).map(counted)

    return tf.data.Dataset.from_tensor_slices(shards).flat_map(read)


def _split_captions(tokens: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Start, length and record number of each caption in `tokens.values`; int32 [c] each."""
    ends = tf.cast(tf.where(tokens.values == END)[:, 0], tf.int32)
    starts = tf.concat([[0], ends + 1], 0)[:-1]
    return starts, ends + 1 - starts, tf.cast(tf.gather(tokens.value_rowids(), ends), tf.int32)


def _features(example: dict[str, tf.Tensor], size: int, path: tf.Tensor) -> tf.Tensor:
    """float16 [n, size], the features of n parsed records. A feature with NaN or infinity raises, with its key."""
    feature = tf.reshape(tf.io.decode_raw(example["feature"], tf.float16), [-1, size])
    # A row's sum in float32 is finite if and only if all of its float16 numbers are: the quickest way to look.
    finite = tf.math.is_finite(tf.linalg.matvec(tf.cast(feature, tf.float32), tf.ones([size])))
    first = tf.argmin(tf.concat([tf.cast(finite, tf.int32), [0]], 0))
    key = tf.concat([example["key"], [""]], 0)[first]
    with tf.control_dependencies([_require(
            tf.reduce_all(finite), path, ": the feature of ", key, " holds numbers that are not finite; run "
            "make_records again with --overwrite, which names the cause")]):
        return tf.identity(feature)


def parsed_blocks(split: Split, shards: tf.Tensor, vocabulary_size: int, block_records: int = READ_BATCH,
                  parallel_calls: int | None = None, features: bool = True) -> tf.data.Dataset:
    """Features and captions of some shards, a block of records at a time.

    Args:
      split: an opened split.
      shards: numbers of the shards in the order in which they are read, int64 [s].
      vocabulary_size: ids from this number on become <unk>.
      block_records: records in a block; the last of a shard may have fewer.
      parallel_calls: blocks parsed at the same time; None: one after the other.
      features: False leaves them on disk; `feature` is then [n, 0].

    Returns:
      Dataset of tuples: the shard's number, the block's number in its shard, and a dict with n records, c captions, t
      tokens: key string [n], feature float16 [n, F], tokens int32 [t], start, length and image int32 [c]; caption i is
      tokens[start[i]:start[i] + length[i]], its <end> included, of record image[i]. Each shard ends with a block of
      no records. Iteration raises InvalidArgumentError when a shard's records, captions or tokens are not as many as
      the manifest says, or a feature is not finite.

    Raises:
      UserError: the records have no features.
    """
    size = split.feature_size if features else 0
    spec = {
        "key": tf.io.FixedLenFeature([], tf.string),
        "tokens": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
    }
    if size:
        spec["feature"] = tf.io.FixedLenFeature([], tf.string)
    paths = tf.constant([os.fsencode(split.path(s)) for s in split.info.shards])
    captions = tf.constant([s.captions for s in split.info.shards], tf.int64)
    tokens = tf.constant([s.tokens for s in split.info.shards], tf.int64)

    @_without_autograph
    def parse(serialized: tf.Tensor, shard: tf.Tensor, block: tf.Tensor, blocks: tf.Tensor) -> tuple:
        example = tf.io.parse_example(serialized, spec)
        ragged = example["tokens"]
        start, length, image = _split_captions(ragged)
        whole = tf.reduce_all(tf.gather(ragged.values, tf.boolean_mask(
            ragged.row_splits[1:], ragged.row_lengths() > 0) - 1) == END)
        longest = tf.reduce_max(length)
        with tf.control_dependencies([
                _require(whole, paths[shard], ": a record's tokens do not end with <end>; run make_records again with "
                         "--overwrite"),
                _require(longest <= split.info.max_tokens, paths[shard], ": a caption has ", longest,
                         f" tokens, {MANIFEST} says at most {split.info.max_tokens}; run make_records again "
                         "with --overwrite")]):
            ids = tf.cast(ragged.values, tf.int32)
        block_of = {
            "key": example["key"],
            "feature": (_features(example, size, paths[shard]) if size
                        else tf.zeros([tf.size(serialized), 0], tf.float16)),
            "tokens": tf.where(ids >= vocabulary_size, UNK, ids),
            "start": start, "length": length, "image": image,
        }
        return block_of, shard, block, block == blocks

    @_without_autograph
    def add(counts: tuple, element: tuple) -> tuple:
        block, shard, number, last = element
        total = (counts[0] + tf.size(block["start"], tf.int64), counts[1] + tf.size(block["tokens"], tf.int64))
        same = tf.logical_and(total[0] == captions[shard], total[1] == tokens[shard])
        with tf.control_dependencies([_require(
                tf.logical_or(tf.logical_not(last), same), paths[shard], ": holds ", total[0], " captions with ",
                total[1], f" tokens, {MANIFEST} says ", captions[shard], " with ", tokens[shard],
                "; restore it from a copy, or run make_records again with --overwrite")]):
            state = tuple(tf.where(last, tf.constant(0, tf.int64), count) for count in total)
        return state, (shard, number, {k: tf.identity(v) for k, v in block.items()})

    zero = tf.constant(0, tf.int64)
    order = True if parallel_calls else None
    parsed = _blocks(split, shards, block_records).map(parse, num_parallel_calls=parallel_calls, deterministic=order)
    return parsed.scan((zero, zero), add)


def images(split: Split, read_image: bool = True) -> tf.data.Dataset:
    """Every image of a split once, in stored order: shard by shard, record by record.

    Args:
      split: an opened split.
      read_image: False leaves the encoded images on disk, for callers that need features and texts only.

    Returns:
      Dataset of dicts: key string, image string (encoded; b"" when not stored, or not read), height and width int64,
      feature float16 [F] (F = 0 when the records have none), captions and tags string [c], tokens int64 [t]; where
      there is a tag vocabulary, tag_ids int64 [c, None], ragged, the ids of each caption's tags.
      Iteration raises InvalidArgumentError when a shard has more or fewer records than the manifest says, or a feature
      is not finite.
    """
    backbone = split.manifest.backbone
    size = backbone.feature_size if backbone else 0
    spec = {
        "key": tf.io.FixedLenFeature([], tf.string),
        "height": tf.io.FixedLenFeature([], tf.int64, 0),
        "width": tf.io.FixedLenFeature([], tf.int64, 0),
        "captions": tf.io.RaggedFeature(tf.string),
        "tags": tf.io.RaggedFeature(tf.string),
        "tokens": tf.io.RaggedFeature(tf.int64),
    }
    if TAGS in split.manifest.files:
        lengths = tf.io.RaggedFeature.RowLengths(f"{TAG_IDS}/ragged_row_lengths_0")  # type: ignore[attr-defined]
        spec[TAG_IDS] = tf.io.RaggedFeature(tf.int64, f"{TAG_IDS}/ragged_flat_values", [lengths], tf.int64)
    if read_image:
        spec["image"] = tf.io.FixedLenFeature([], tf.string, "")
    if size:
        spec["feature"] = tf.io.FixedLenFeature([], tf.string)
    paths = tf.constant([os.fsencode(split.path(shard)) for shard in split.info.shards], tf.string)

    @_without_autograph
    def parse(serialized: tf.Tensor, shard: tf.Tensor, *_: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_example(serialized, spec)
        count = tf.size(serialized)
        if size:
            example["feature"] = _features(example, size, paths[shard])
        else:
            example["feature"] = tf.zeros([count, 0], tf.float16)
        if not read_image:
            example["image"] = tf.fill([count], "")
        return example

    dataset = _blocks(split, tf.range(len(split.info.shards), dtype=tf.int64), READ_BATCH).map(parse).unbatch()
    return dataset.apply(tf.data.experimental.assert_cardinality(split.info.examples))  # Keras asks how many there are
