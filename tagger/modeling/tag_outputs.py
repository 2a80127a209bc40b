"""Which of the network's logits speak for which tag. The network has one logit for each entry of the vocabulary.

    outputs = TagOutputs.of(vocabulary, tags)
    outputs.logits(logits)          float32 [B, V] to [B, T]
    outputs.occur(targets)          int32 [B, L] to float32 [B, T], 1 where a word of the row counts for the tag
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from records.text.tag_vocabulary import TagVocabulary
from records.text.vocabulary import UNK, Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class TagOutputs:
    """The T tags that a model can answer.

    Attributes:
      names: string [T], most frequent first; without a tag vocabulary in the vocabulary's order.
      entries: int32 [T], the entry whose logit speaks for each tag.
      of_entries: int32 [V], the tag that each entry counts for, or -1.
    """

    names: np.ndarray
    entries: np.ndarray
    of_entries: np.ndarray

    @classmethod
    def of(cls, vocabulary: Vocabulary, tags: TagVocabulary | None) -> "TagOutputs":
        """Those of the tags that the vocabulary has an entry for.

        Args:
          tags: None for records made before there was a tag vocabulary: every noun, verb or adjective is a tag.
        """
        if tags is None:
            entries = np.flatnonzero(vocabulary.is_tag).astype(np.int32)
            of_entries = np.full(vocabulary.size, -1, np.int32)
            of_entries[entries] = np.arange(len(entries))
            return cls(np.asarray(vocabulary.words, object)[entries], entries, of_entries)
        entries, of_entries = tags.outputs(vocabulary), tags.of_entries(vocabulary)
        known = np.flatnonzero(entries != UNK)
        place = np.full(tags.size + 1, -1, np.int32)  # the last is that of entries that count for nothing
        place[known] = np.arange(len(known))
        return cls(np.asarray(tags.tags, object)[known], entries[known], place[of_entries])

    @property
    def size(self) -> int:
        """T."""
        return len(self.entries)

    def logits(self, logits: tf.Tensor) -> tf.Tensor:
        """Of logits or probabilities [B, V] of the vocabulary those of the tags, [B, T]."""
        return tf.gather(logits, self.entries, axis=1)

    def rates(self, captions: Iterable[np.ndarray]) -> np.ndarray:
        """float64 [T]: the share of the captions (int32 entries each) that have each tag; of one that none has, half of
        one's.
        """
        counts, seen = np.zeros(self.size), 0
        for entries in captions:
            tags = np.unique(self.of_entries[entries])
            counts[tags[tags >= 0]] += 1
            seen += 1
        return np.clip(counts, 0.5, seen - 0.5) / seen

    def occur(self, targets: tf.Tensor) -> tf.Tensor:
        """float32 [B, T]: 1 where one of a row's words counts for the tag.

        Args:
          targets: int32 [B, L] entries of the vocabulary, in any order; 0 for nothing.
        """
        count = tf.shape(targets)[0]
        tag = tf.gather(np.where(self.of_entries < 0, self.size, self.of_entries), tf.reshape(targets, [-1]))
        places = tf.stack([tf.repeat(tf.range(count), tf.shape(targets)[1]), tag], axis=1)
        ones = tf.ones([tf.shape(places)[0]])
        return tf.tensor_scatter_nd_update(tf.zeros([count, self.size + 1]), places, ones)[:, :self.size]
