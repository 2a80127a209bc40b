"""The probability that each tag occurs in a caption of the photo, estimated along sampled captions.

A path is one caption, word by word. With p_t(w) the model's probability of w after the first t words of a
path, the path says that w occurs with probability 1 - prod_t (1 - p_t(w)), and a tag of several forms with
1 - prod_w prod_t (1 - p_t(w)); the score of a tag is the mean over paths.
Counting the sampled captions that contain w would need many more paths, and could not rank words that no path
happened to choose. It is an approximation: paths that do contain w take part in the product too.
"""

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END, PAD, UNK
from tagger.decoding.beam_search import Beams, DecodeStep, Prefill, State
from tagger.modeling.tag_outputs import TagOutputs

_NOISE_SEED = 7  # any value: fixed so that an export answers the same for ever
# Words below this probability are not sampled (epsilon sampling; Hewitt et al. 2022, https://arxiv.org/abs/2210.15191).
# Among thousands of them, rounding in the last bit would decide which one is taken.
_LEAST_PROBABILITY = 1e-3


def noise(samples: int, max_length: int) -> np.ndarray:
    """Uniform numbers float32 [max_length, samples] that choose the words of every sample.

    Number (t, s) depends on nothing but t, s and `samples`, so a photo's paths do not depend on its batch. At
    each position the samples share out (0, 1) evenly, in an order that changes with the position: stratified
    sampling, which spreads few paths over what the model finds probable.
    """
    generator = np.random.Generator(np.random.Philox(_NOISE_SEED))
    rows = [(generator.permutation(samples) + generator.random(samples)) / max(samples, 1) for _ in range(max_length)]
    return np.asarray(rows, np.float32).reshape(max_length, samples)


def tag_marginals(prefill: Prefill, decode_step: DecodeStep, feature: tf.Tensor, uniform: np.ndarray, beams: Beams,
                  max_length: tf.Tensor | int, tags: TagOutputs) -> tf.Tensor:
    """Estimated probability float32 [B, T] that each tag occurs in a caption of the photo.

    The paths of a photo are the S sampled captions and its finished beams, all with equal weight. A path that has
    ended leaves the computation, which in the middle of a batch is most of them.

    Args:
      prefill, decode_step: as of `beam_search`.
      feature: float [B, F].
      uniform: float32 [T, S] from `noise`, T at least `max_length`; S may be 0.
      beams: finished captions of the same photos, from the beam search.
      max_length: words of the longest path, int32 scalar.
      tags: which words count for which tag.
    """
    limit, samples = tf.convert_to_tensor(max_length, tf.int32), uniform.shape[1]
    first_p, first_state = prefill(feature)
    batch, vocabulary_size = tf.shape(first_p)[0], first_p.shape[1]
    is_path = tf.concat([tf.ones([batch, samples], tf.bool), beams.log_probability > -float("inf")], 1)
    threshold = np.full(vocabulary_size, _LEAST_PROBABILITY, np.float32)
    threshold[[PAD, UNK]] = np.inf
    # Beams take their words from the search; their column of noise is never looked at.
    uniform = tf.pad(uniform, [[0, 0], [0, tf.shape(beams.tokens)[1]]])

    def sample(p: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """int32 [M]: where the cumulative sum of the probabilities p [M, V] passes uniform [M]."""
        cumulative = tf.cumsum(tf.where(p > threshold, p, 0.0), axis=1)
        level = uniform * cumulative[:, -1]
        return tf.minimum(tf.searchsorted(cumulative, level[:, tf.newaxis], side="right")[:, 0], vocabulary_size - 1)

    def paths_left(position: tf.Tensor, path: tf.Tensor, *_) -> tf.Tensor:
        return tf.shape(path)[0] > 0

    def advance(position: tf.Tensor, path: tf.Tensor, p: tf.Tensor, state: State, absent: tf.Tensor,
                total: tf.Tensor) -> tuple:
        absent *= 1.0 - p                                                                  # [M, V]
        photo, number = path[:, 0], path[:, 1]
        beam = tf.stack([photo, tf.maximum(number - samples, 0)], axis=1)
        given = tf.gather_nd(beams.tokens[:, :, position], beam)
        word = tf.where(number < samples, sample(p, tf.gather(uniform[position], number)),
                        tf.where(given == PAD, END, given))
        ends = (word == END) | (position + 1 == limit)
        ended, left = tf.where(ends)[:, 0], tf.where(~ends)[:, 0]
        # Words that count for no tag have the number -1, and are left out.
        lacks = tf.transpose(tf.math.unsorted_segment_prod(
            tf.transpose(tf.gather(absent, ended)), tags.of_entries, tags.size))            # [M, T]
        total += tf.math.unsorted_segment_sum(1.0 - lacks, tf.gather(photo, ended), batch)
        p, state = decode_step(tuple(tf.gather(part, left) for part in state), tf.gather(word, left))
        return position + 1, tf.gather(path, left), p, state, tf.gather(absent, left), total

    path = tf.cast(tf.where(is_path), tf.int32)                                            # [M, 2]: photo, number
    p, state = tf.gather(first_p, path[:, 0]), tuple(tf.gather(part, path[:, 0]) for part in first_state)
    by_word, by_tag = tf.TensorShape([None, vocabulary_size]), tf.TensorShape([None, tags.size])
    shapes = (tf.TensorShape([]), tf.TensorShape([None, 2]), by_word,
              tuple(tf.TensorShape([None, *part.shape[1:]]) for part in first_state), by_word, by_tag)
    *_, total = tf.while_loop(
        paths_left, advance, (tf.constant(0), path, p, state, tf.ones_like(p), tf.zeros([batch, tags.size])),
        shape_invariants=shapes)
    return total / tf.reduce_sum(tf.cast(is_path, tf.float32), axis=1, keepdims=True)
