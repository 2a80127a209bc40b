"""CIDEr-D of captions inside the graph: the reward of self-critical training.

    reward = CiderReward(document_frequencies(captions, images), images=len(train images))
    reward(sampled, references)          # int32 [B, S, T], [B, R, T'] → float32 [B, S], about 0 … 10

The formula is that of pycocoevalcap, which --mode=eval uses, with two differences. Document frequencies come from the
train split, as an image's reward must not depend on which images are in its batch. And <end> counts as a word, so that
a caption that breaks off ("a dog runs in the") earns less than one that is finished; without it, training learns to
end captions in the middle.

Vedantam, Zitnick & Parikh, "CIDEr: Consensus-based image description evaluation", 2015 (CIDEr-D: its section 6).
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_LONGEST_GRAM = 4
_LENGTH_SIGMA = 6.0
_SCALE = 10.0


class CiderReward(tf.Module):
    """The reward, with the document frequencies of one train split."""

    def __init__(self, tokens: np.ndarray, starts: np.ndarray, lengths: np.ndarray, images: np.ndarray,
                 vocabulary_size: int):
        """Counts in how many images' captions every n-gram of one to four words occurs.

        Args:
          tokens: int32 [t], all captions' word ids, <end> included.
          starts, lengths, images: int [c]; caption i is tokens[starts[i]:starts[i] + lengths[i]] of image images[i].
          vocabulary_size: one more than the largest id.
        """
        super().__init__(name="cider_reward")
        self._base = vocabulary_size
        grams, counts = document_frequencies(tokens, starts, lengths, images, vocabulary_size)
        self._log_images = float(np.log(max(len(np.unique(images)), 1)))
        # What occurs in one image weighs as much as what occurs in none, so it need not be stored.
        known = counts > 1
        self._log_frequency = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(
            tf.constant(grams[known], tf.int64), tf.constant(np.log(counts[known]), tf.float32)), 0.0)

    def __call__(self, candidates: tf.Tensor, references: tf.Tensor) -> tf.Tensor:
        """CIDEr-D of each candidate against the references of its image.

        Args:
          candidates: int32 [B, S, T] word ids, <end> included, right-padded with 0.
          references: int32 [B, R, T'] likewise; rows of zeros are no references. An image without any scores 0.

        Returns:
          float32 [B, S], ten times the mean over references and n-gram lengths of the clipped cosine.
        """
        def bigrams(captions: tf.Tensor) -> tf.Tensor:
            # The reference implementation compares lengths in bigrams, not words.
            return tf.cast(tf.math.count_nonzero(captions[..., 1:], -1), tf.float32)

        difference = bigrams(candidates)[:, :, tf.newaxis] - bigrams(references)[:, tf.newaxis]  # [B, S, R]
        total = tf.zeros_like(difference)
        for ours, theirs in zip(_grams(candidates, self._base), _grams(references, self._base), strict=True):
            total += self._similarity(ours, theirs)
        total *= tf.exp(-tf.square(difference) / (2 * _LENGTH_SIGMA ** 2)) / _LONGEST_GRAM
        real = tf.cast(references[:, tf.newaxis, :, 0] > 0, tf.float32)  # [B, 1, R]
        return _SCALE * tf.math.divide_no_nan(tf.reduce_sum(total * real, -1), tf.reduce_sum(real, -1))

    def _similarity(self, ours: tf.Tensor, theirs: tf.Tensor) -> tf.Tensor:
        """Clipped cosine float32 [B, S, R] of the TF-IDF vectors of n-grams int64 [B, S, T] and [B, R, T'].

        A caption's vector is written position by position: an n-gram that occurs k times stands at k positions, which
        share what it contributes.
        """
        our_weight, their_weight = self._weights(ours), self._weights(theirs)
        our_count, their_count = _count(ours, ours), _count(theirs, theirs)
        shared = _count(ours[:, :, tf.newaxis], theirs[:, tf.newaxis])                       # [B, S, R, T]
        least = tf.minimum(our_count[:, :, tf.newaxis], shared)
        share = tf.math.divide_no_nan(tf.square(our_weight), our_count)[:, :, tf.newaxis]    # [B, S, 1, T]
        product = tf.reduce_sum(share * least * shared, -1)
        our_norm = tf.sqrt(tf.reduce_sum(our_count * tf.square(our_weight), -1))
        their_norm = tf.sqrt(tf.reduce_sum(their_count * tf.square(their_weight), -1))
        return tf.math.divide_no_nan(product, our_norm[:, :, tf.newaxis] * their_norm[:, tf.newaxis])

    def _weights(self, grams: tf.Tensor) -> tf.Tensor:
        """Inverse document frequency float32 of each n-gram, 0 where there is none."""
        return tf.where(grams > 0, self._log_images - self._log_frequency.lookup(grams), 0.0)


def document_frequencies(tokens: np.ndarray, starts: np.ndarray, lengths: np.ndarray, images: np.ndarray,
                         vocabulary_size: int) -> tuple[np.ndarray, np.ndarray]:
    """The n-grams of all captions as numbers, int64 [g], and in how many images each occurs, int64 [g].

    Arguments as of CiderReward.
    """
    place = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths) + np.arange(lengths.sum())
    ids = tokens[place].astype(np.int64)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(ids))  # words from here to the caption's end
    image = np.repeat(images, lengths)
    found: list[np.ndarray] = []
    gram = np.zeros_like(ids)
    with np.errstate(over="ignore"):
        for n in range(_LONGEST_GRAM):
            shifted = np.concatenate([ids[n:], np.zeros(n, np.int64)])
            gram = gram * vocabulary_size + shifted
            whole = left > n
            pairs = np.unique(np.stack([gram[whole], image[whole]], 1), axis=0)
            found.append(pairs[:, 0])
    return np.unique(np.concatenate(found), return_counts=True)


def _grams(captions: tf.Tensor, base: int) -> Sequence[tf.Tensor]:
    """The n-grams of captions int32 [..., T] for n = 1 … 4: int64 [..., T - n + 1], 0 where padding is in them.

    An n-gram is written as a number of n digits in base V, which are never 0. Four digits fit into 63 bits up to
    V = 55,108; beyond that, two n-grams share a number about as rarely as two random ones.
    """
    ids = tf.cast(captions, tf.int64)
    result, gram = [ids], ids
    for n in range(1, _LONGEST_GRAM):
        following = ids[..., n:]
        gram = tf.where(following > 0, gram[..., :-1] * base + following, 0)
        result.append(gram)
    return result


def _count(grams: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    """How often each n-gram of [..., T] occurs in [..., T'], float32 [..., T]; padding counts as nothing."""
    same = (grams[..., :, tf.newaxis] == among[..., tf.newaxis, :]) & (grams > 0)[..., tf.newaxis]
    return tf.reduce_sum(tf.cast(same, tf.float32), -1)
