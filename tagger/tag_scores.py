"""How probable each word is to occur in a caption of the photo: marginals along sampled captions.

A path is one caption, word by word. With p_t(w) the model's probability of w after the first t words of a
path, the path says that w occurs with probability 1 - prod_t (1 - p_t(w)). The score of w is the mean over
paths. Averaging these probabilities instead of counting words in the samples (Rao-Blackwellisation; Casella and
Robert, Biometrika 1996) ranks words that no path happened to choose, and needs few paths.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from records.vocabulary import END, PAD, UNK
from tagger.beam_search import Beams, Start, Step

_NOISE_SEED = 7  # any value: fixed so that an export answers the same for ever


def noise(samples: int, max_length: int) -> np.ndarray:
    """Uniform numbers float32 [max_length, samples] that choose the words of every sample.

    Number (t, s) depends on nothing but t, s and `samples`, so a photo's paths do not depend on its batch. At
    each position the samples share out (0, 1) evenly, in an order that changes with the position: stratified
    sampling, which spreads few paths over what the model finds probable.
    """
    generator = np.random.Generator(np.random.Philox(_NOISE_SEED))
    rows = [(generator.permutation(samples) + generator.random(samples)) / samples for _ in range(max_length)]
    return np.asarray(rows, np.float32).reshape(max_length, samples)


def word_marginals(start: Start, step: Step, feature: tf.Tensor, uniform: np.ndarray | Sequence[Sequence[float]],
                   beams: Beams | None, max_length: tf.Tensor | int) -> tf.Tensor:
    """Estimated probability float32 [B, V] that each word occurs in a caption of the photo.

    The paths of a row are the S sampled captions and, with `beams`, its K finished beams, all with equal weight.

    Args:
      start: `start(feature) -> (log_p, state)`, log_p float32 [B, V].
      step: `step(state, word) -> (log_p, state)`.
      feature: float [B, F].
      uniform: [T, S] from `noise`, T at least `max_length`; S may be 0 when there are beams.
      beams: the beam search's answer for the same rows, or None.
      max_length: words of the longest path, int32 scalar.
    """
    limit = tf.convert_to_tensor(max_length, tf.int32)
    uniform = tf.convert_to_tensor(uniform, tf.float32)
    samples = tf.shape(uniform)[1]
    log_p, state = start(feature)
    batch, vocabulary_size = tf.shape(log_p)[0], log_p.shape[1]
    if beams is None:
        beams = Beams(tf.zeros([batch, 0, limit], tf.int32), tf.zeros([batch, 0]), tf.zeros([batch, 0], tf.int32))
    paths = samples + tf.shape(beams.tokens)[1]
    weight = tf.concat([tf.ones([batch, samples]), tf.cast(beams.log_probability > -float("inf"), tf.float32)], 1)
    writable = np.ones(vocabulary_size, np.float32)
    writable[[PAD, UNK]] = 0.0

    def paths_left(position: tf.Tensor, log_p: tf.Tensor, state: tuple, active: tf.Tensor, absent: tf.Tensor):
        return (position < limit) & tf.reduce_any(active)

    def advance(position: tf.Tensor, log_p: tf.Tensor, state: tuple, active: tf.Tensor, absent: tf.Tensor):
        p = tf.exp(log_p)                                                        # [B * P, V]
        absent *= 1.0 - p * tf.reshape(tf.cast(active, tf.float32), [-1, 1])
        by_path = tf.reshape(p * writable, [batch, paths, vocabulary_size])[:, :samples]
        cumulative = tf.cumsum(by_path, axis=2)                                  # [B, S, V]
        threshold = uniform[position][tf.newaxis, :] * cumulative[:, :, -1]
        sampled = tf.searchsorted(tf.reshape(cumulative, [batch * samples, vocabulary_size]),
                                  tf.reshape(threshold, [batch * samples, 1]), side="right")
        sampled = tf.minimum(tf.reshape(sampled, [batch, samples]), vocabulary_size - 1)
        given = beams.tokens[:, :, position]
        word = tf.concat([sampled, tf.where(given == PAD, END, given)], 1)       # [B, P]
        active &= word != END
        log_p, state = step(state, tf.reshape(word, [-1]))
        return position + 1, log_p, state, active, absent

    def repeat(tensor: tf.Tensor) -> tf.Tensor:
        return tf.repeat(tensor, paths, axis=0)

    log_p, state = repeat(log_p), tuple(map(repeat, state))
    loop = (tf.constant(0), log_p, state, weight > 0, tf.ones_like(log_p))
    by_word = tf.TensorShape([None, vocabulary_size])
    shapes = (tf.TensorShape([]), by_word, tuple(tf.TensorShape([None, *part.shape[1:]]) for part in state),
              tf.TensorShape([None, None]), by_word)
    *_, absent = tf.while_loop(paths_left, advance, loop, shape_invariants=shapes)
    occurs = tf.reshape(1.0 - absent, [batch, paths, vocabulary_size])
    return tf.einsum("bpv,bp->bv", occurs, weight / tf.reduce_sum(weight, 1, keepdims=True))
