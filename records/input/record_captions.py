"""The captions of photos, taken out of the photos' records in every batch rather than held in memory.

    captions = RecordCaptions(open_split(records_dir, "train"), vocabulary_size=9000, marked_ids={17})
    captions.targets(tokens, width)                 # int32 [b, R, width], of the ragged `tokens` of b records

What has to be known of every photo before its record is read, as shapes of batches depend on it, is 5 bytes a photo.
"""

from collections.abc import Collection, Iterator

import numpy as np
import tensorflow as tf

from records.input.caption_blocks import read_blocks
from records.input.shard_reader import END, UNK, Split
from records.util.progress import Progress

_BLOCK_RECORDS = 1024  # looked at together


class RecordCaptions:
    """The captions of the n photos of a split, at most R of each.

    Attributes:
      most: R, the largest number of captions of a photo.
      longest: int32 [n+1], tokens of each photo's longest caption; the last, 0, stands where a batch has no photo.
      marked: bool [n+1], photos with one of the marked ids in a caption.
    """

    def __init__(self, split: Split, vocabulary_size: int, marked_ids: Collection[int] = ()):
        """Reads the captions of every record once.

        Args:
          split: an opened split.
          vocabulary_size: ids from this number on become <unk>.
          marked_ids: what `marked` looks for.

        Raises:
          UserError: as records.input.caption_blocks.read_blocks.
        """
        self._split, self._vocabulary_size = split, vocabulary_size
        self.most = 1
        self.longest = np.zeros(split.info.examples + 1, np.int32)
        self.marked = np.zeros(split.info.examples + 1, bool)
        n = 0
        with Progress(f"reading {split.name}", split.info.examples, "examples") as progress:
            for block in read_blocks(split, range(len(split.info.shards)), vocabulary_size, _BLOCK_RECORDS, False):
                images = len(block.key)
                np.maximum.at(self.longest, n + block.image, block.length)
                marked = np.isin(block.tokens, list(marked_ids))
                self.marked[n + np.repeat(block.image, block.length)[marked]] = True
                self.most = max(self.most, int(np.bincount(block.image).max(initial=1)))
                n += images
                progress.add(images)

    def __iter__(self) -> Iterator[np.ndarray]:
        """The words and <end> of every caption, int32 [t], read anew."""
        for block in read_blocks(self._split, range(len(self._split.info.shards)), self._vocabulary_size,
                                 _BLOCK_RECORDS, False):
            yield from np.split(block.tokens, np.cumsum(block.length)[:-1])

    def targets(self, tokens: tf.RaggedTensor, width: tf.Tensor) -> tf.Tensor:
        """Captions as training takes them.

        Args:
          tokens: int64 [b, None], the feature `tokens` of b records: all captions of a photo, each ended by <end>.
          width: int32 scalar, at least the tokens of the longest.

        Returns:
          int32 [b, R, width], the words and <end> of each caption, right-padded with 0; 0 where a photo has fewer.
        """
        ids, photo = tf.cast(tokens.flat_values, tf.int32), tf.cast(tokens.value_rowids(), tf.int32)
        ids = tf.where(ids >= self._vocabulary_size, UNK, ids)
        # Numbers of captions in the batch, of the first caption of each photo, and of the first token of each caption.
        ends = tf.cast(ids == END, tf.int32)
        caption = tf.cumsum(ends, exclusive=True)
        first_caption = tf.cumsum(tf.math.segment_sum(ends, photo), exclusive=True)
        first_token = tf.concat([[0], tf.cast(tf.where(ends > 0)[:, 0], tf.int32) + 1], 0)
        place = tf.range(tf.size(ids)) - tf.gather(first_token, caption)
        indices = tf.stack([photo, caption - tf.gather(first_caption, photo), place], axis=1)
        return tf.scatter_nd(indices, ids, tf.stack([tf.cast(tokens.nrows(), tf.int32), self.most, width]))
