"""Which words may not follow in a caption: <pad>, <unk>, and repetitions."""

import numpy as np
import tensorflow as tf

from flags.choices import BLOCK_REPEATS
from records.text.vocabulary import PAD, UNK, Vocabulary


class RepetitionConstraint:
    """Sets the probability of forbidden words to 0.

    <pad> and <unk> are always forbidden. `block_repeats` adds, for words already in the caption:

    - none: nothing;
    - adjacent: the word just written ("a a dog");
    - content_words: every noun, verb and adjective anywhere before ("a dog chases a dog"), and every other word
      since the last of them ("on a on a"): captions need "a", "in" or "the" again, but only after another content
      word. A content word is one that the records' tagger called a tag in at least half of its occurrences
      (`Vocabulary.is_tag`);
    - all: every word anywhere before.
    """

    def __init__(self, vocabulary: Vocabulary, block_repeats: str = "content_words"):
        if block_repeats not in BLOCK_REPEATS:
            raise ValueError(f"block_repeats={block_repeats!r}: expected one of {', '.join(BLOCK_REPEATS)}")
        self._mode = block_repeats
        self._ever = np.ones(vocabulary.size, np.float32)
        self._ever[[PAD, UNK]] = 0.0
        self._is_content = np.asarray(vocabulary.is_tag, bool)

    def __call__(self, p: tf.Tensor, tokens: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
        """Probabilities float32 [N, V] with 0 at words that may not follow; the others keep theirs.

        Args:
          p: float32 [N, V] of the next word.
          tokens: int32 [N, L] words so far, 0 from `position` on.
          position: int32 scalar, number of words so far.
        """
        p *= self._ever
        if self._mode == "none":
            return p
        words = tokens[:, : tf.maximum(position, 1)]
        if self._mode == "adjacent":
            words = words[:, -1:]
        elif self._mode == "content_words":
            content = tf.gather(tf.constant(self._is_content), words)
            content_after = tf.cumsum(tf.cast(content, tf.int32), axis=1, reverse=True)  # content words, from here on
            words = tf.where(content | (content_after == 0), words, PAD)  # <pad> is forbidden anyway
        rows = tf.repeat(tf.range(tf.shape(words)[0]), tf.shape(words)[1])
        index = tf.stack([rows, tf.reshape(words, [-1])], axis=1)
        return tf.tensor_scatter_nd_update(p, index, tf.zeros(tf.shape(rows)))
