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
from records.format.held_out import OWN_SPLITS
from records.format.layout import MANIFEST, TAGS
from records.util.hashing import file_sha256

END, UNK = 1, 2  # word ids, as in records.text.vocabulary

# Records parsed by one op: enough to spread its cost, few enough that photos of a megabyte each stay affordable.
READ_BATCH = 64

_BUFFER_BYTES = 1 << 18  # of the file

_TRAIN, _VALIDATION = "train", "validation"
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


def open_split(records_dir: epath.PathLike, split: str, check_sha256: bool = False, flag: str = "") -> Split:
    """Opens one split after checking that every file of the folder is there with its size.

    Args:
      records_dir: a folder that make_records wrote, or several separated by commas.
      split: name of a split in it.
      check_sha256: reads every shard of the split once more to compare its hash too.
      flag: the flag that names the split, for the remedy where there is none.

    Raises:
      UserError: no records folder, no such split, an empty split, or a file that is not what the manifest says.
    """
    of_folders = joined.load_each(records_dir)
    manifest = joined.join(of_folders)
    for folder, of_folder in of_folders.items():
        manifest_lib.check_sizes(folder, of_folder)
    info = manifest.splits.get(split)
    if info is None:
        held_out = [name for name in manifest.splits if name != _TRAIN]
        choice = (f"give --{flag}={min(held_out, key=lambda name: (name != _VALIDATION, name))}" if flag and held_out
                  else "choose one of those")
        other_splits = ("" if manifest.flags.get(OWN_SPLITS) else
                        ", or run make_records with other --split_lists or --split_fractions")
        remedy = (choice + other_splits if held_out else
                  "no photo is held out, so make records anew (make_records --overwrite) with more photos, or with "
                  "--split_lists, which say the split of each")
        raise UserError(f"--records_dir={records_dir}: has no split {split!r}, it has {', '.join(manifest.splits)}; "
                        f"{remedy}")
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
    line = f"{_MARK}{error}{_STOP}"
    return ValueError(line.encode(errors="backslashreplace").decode())  # a path need not be UTF-8


# Nothing to convert in these functions, and looking for it takes longer than reading a small split.
_without_autograph = tf.autograph.experimental.do_not_convert


def _require(condition: tf.Tensor, *parts: str | tf.Tensor) -> tf.Operation:
    """Asserts `condition` with a message that `reading_errors` shows: `parts`, strings and integer tensors, joined."""
    texts = [part if isinstance(part, str) else part if part.dtype == tf.string else tf.strings.as_string(part)
             for part in parts]
    return tf.debugging.Assert(condition, [tf.strings.join([_MARK, *texts, _STOP])])


def _blocks(split: Split, size: int) -> tf.data.Dataset:
    """Pairs (serialized string [n], path of the shard); n is `size`, or fewer in a shard's last block.

    After its last block a shard gives an empty one. More or fewer records than in the manifest raise
    InvalidArgumentError.
    """
    paths = tf.constant([os.fsencode(split.path(shard)) for shard in split.info.shards], tf.string)
    examples_of = tf.constant([shard.examples for shard in split.info.shards], tf.int64)
    nothing = tf.data.Dataset.from_tensors(tf.constant([], tf.string)).repeat()

    @_without_autograph
    def read(path: tf.Tensor, examples: tf.Tensor) -> tf.data.Dataset:
        blocks = (examples + size - 1) // size

        def counted(block: tf.Tensor, serialized: tf.Tensor) -> tuple[tf.Tensor, ...]:
            count = tf.size(serialized, tf.int64)
            expected = tf.clip_by_value(examples - block * size, 0, size)
            with tf.control_dependencies([_require(
                    tf.equal(count, expected), path, ": has ", tf.where(count < expected, "fewer", "more"),
                    " records than the ", examples, f" that {MANIFEST} says; restore it from a copy, or run "
                    "make_records again with --overwrite")]):
                return tf.identity(serialized), path

        data = tf.data.TFRecordDataset(path, buffer_size=_BUFFER_BYTES).batch(size).concatenate(nothing)
        return tf.data.Dataset.zip(tf.data.Dataset.range(blocks + 1), data).map(counted)

    return tf.data.Dataset.from_tensor_slices((paths, examples_of)).flat_map(read)


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

    @_without_autograph
    def parse(serialized: tf.Tensor, path: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_example(serialized, spec)
        count = tf.size(serialized)
        if size:
            example["feature"] = _features(example, size, path)
        else:
            example["feature"] = tf.zeros([count, 0], tf.float16)
        if not read_image:
            example["image"] = tf.fill([count], "")
        return example

    dataset = _blocks(split, READ_BATCH).map(parse).unbatch()
    examples = sum(shard.examples for shard in split.info.shards)  # callers may have left shards out
    return dataset.apply(tf.data.experimental.assert_cardinality(examples))  # Keras asks how many there are
