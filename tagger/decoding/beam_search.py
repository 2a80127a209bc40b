"""Batched beam search inside the graph: all rows of a batch are searched at once, independently of each other.

    search = beam_search(prefill, decode_step, feature, constraint, beam_width=3, length_penalty=0.7, max_length=30)
    search.tokens[:, 0]       # best caption of every row, word ids, 0 after the last word

Two sets are kept for every row, as in Wu et al. 2016 (https://arxiv.org/abs/1609.08144): the `beam_width` best
unfinished captions and the `beam_width` best finished ones. A finished caption is never extended and never lost.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from records.text.vocabulary import END
from tagger.decoding.repetition import RepetitionConstraint

State = tuple[tf.Tensor, ...]
Prefill = Callable[[tf.Tensor], tuple[tf.Tensor, State]]
DecodeStep = Callable[[State, tf.Tensor], tuple[tf.Tensor, State]]


class Beams(NamedTuple):
    """Finished captions of every row, best first.

    Attributes:
      tokens: int32 [B, K, L] word ids, right-padded with 0; <end> is not written.
      log_probability: float32 [B, K], natural logarithm of the caption's probability, <end> included;
        -inf where fewer than K captions were finished.
      length: int32 [B, K] number of predicted tokens, <end> included.
    """

    tokens: tf.Tensor
    log_probability: tf.Tensor
    length: tf.Tensor


class _Loop(NamedTuple):
    position: tf.Tensor      # int32 [], words in every unfinished caption
    p: tf.Tensor             # [B * K, V], of the next word
    state: State             # tensors [B * K, …]
    alive_tokens: tf.Tensor  # int32 [B, K, L]
    alive_log_p: tf.Tensor   # [B, K]
    rank: tf.Tensor          # [B, K], length-normalised log probability of finished captions
    finished: Beams
    done: tf.Tensor          # bool [B]


def beam_search(prefill: Prefill, decode_step: DecodeStep, feature: tf.Tensor, constraint: RepetitionConstraint,
                beam_width: tf.Tensor | int, length_penalty: tf.Tensor | float, max_length: tf.Tensor | int) -> Beams:
    """Finds the captions with the highest log probability / length ** length_penalty.

    A caption may finish only while it is among the `beam_width` best continuations, so `beam_width=1` is greedy
    decoding. A row is done when it has `beam_width` finished captions and its best unfinished one ranks no
    higher than the worst of them; a row that is done no longer changes, whatever its neighbours still need.
    After `max_length` words only <end> may follow, with its own probability.

    Args:
      prefill: `prefill(feature) -> (p, state)`: probabilities float32 [B, V] of the first word.
      decode_step: `decode_step(state, word) -> (p, state)`: p float32 [N, V] after one more word, int32 [N].
      feature: float [B, F].
      constraint: says which words may not follow.
      beam_width: K, int32 scalar, at least 1.
      length_penalty: float32 scalar; 0 ranks by probability, 1 by probability per word, more favours length.
      max_length: L, int32 scalar, at least 1: words of the longest caption.
    """
    width, limit = tf.convert_to_tensor(beam_width, tf.int32), tf.convert_to_tensor(max_length, tf.int32)
    penalty = tf.convert_to_tensor(length_penalty, tf.float32)
    first_p, first_state = prefill(feature)
    batch, vocabulary_size = tf.shape(first_p)[0], first_p.shape[1]
    if vocabulary_size is None:
        raise ValueError("beam_search: prefill must return probabilities with a static vocabulary dimension")
    candidates = tf.minimum(2 * width, vocabulary_size)  # each beam ends in at most one of its 2 K best

    def pick(tensor: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        return tf.gather(tensor, index, axis=1, batch_dims=1)

    def search_on(loop: _Loop) -> tf.Tensor:
        return (loop.position <= limit) & ~tf.reduce_all(loop.done)

    def advance(loop: _Loop) -> tuple[_Loop]:
        position = loop.position
        tokens_flat = tf.reshape(loop.alive_tokens, [batch * width, limit])
        allowed = tf.where(position == limit, tf.one_hot(END, vocabulary_size), tf.ones([vocabulary_size]))
        best, word = tf.math.top_k(constraint(loop.p * allowed, tokens_flat, position), candidates)  # [B * K, C]
        best = tf.reshape(tf.math.log(best), [batch, width, candidates]) + loop.alive_log_p[:, :, tf.newaxis]
        score, index = tf.math.top_k(tf.reshape(best, [batch, width * candidates]), 2 * width)
        word = pick(tf.reshape(word, [batch, width * candidates]), index)           # [B, 2 K]
        parent = index // candidates
        ends = word == END
        minus_infinity = tf.fill(tf.shape(score), -float("inf"))

        length = position + 1
        scale = tf.cast(length, tf.float32) ** penalty
        finishes = ends & (tf.range(2 * width) < width) & ~loop.done[:, tf.newaxis]
        rank, kept = tf.math.top_k(
            tf.concat([loop.rank, tf.where(finishes, score, minus_infinity) / scale], 1), width)
        tokens = pick(loop.alive_tokens, parent)                                    # [B, 2 K, L]
        finished = Beams(
            pick(tf.concat([loop.finished.tokens, tokens], 1), kept),
            pick(tf.concat([loop.finished.log_probability, tf.where(finishes, score, minus_infinity)], 1), kept),
            pick(tf.concat([loop.finished.length, tf.fill(tf.shape(score), length)], 1), kept))

        alive_log_p, kept = tf.math.top_k(tf.where(ends, minus_infinity, score), width)
        word, parent = pick(word, kept), pick(parent, kept)                         # [B, K]
        written = tf.one_hot(position, limit, dtype=tf.int32) * word[:, :, tf.newaxis]
        rows = tf.reshape(tf.range(batch)[:, tf.newaxis] * width + parent, [-1])
        state = tuple(tf.gather(part, rows) for part in loop.state)
        next_p, state = decode_step(state, tf.reshape(word, [-1]))
        full = rank[:, -1] > -float("inf")
        done = loop.done | (full & (rank[:, -1] >= alive_log_p[:, 0] / scale))
        return (_Loop(length, next_p, state, pick(tokens, kept) + written, alive_log_p, rank, finished, done),)

    def repeat(tensor: tf.Tensor) -> tf.Tensor:
        return tf.repeat(tensor, width, axis=0)

    nothing = tf.fill([batch, width], -float("inf"))
    no_tokens = tf.zeros([batch, width, limit], tf.int32)
    # One beam to begin with: K equal ones would find the same captions K times.
    one_beam = tf.one_hot(0, width, on_value=0.0, off_value=-float("inf"))
    loop = _Loop(
        tf.constant(0), repeat(first_p), tuple(map(repeat, first_state)), no_tokens,
        tf.tile(one_beam[tf.newaxis], [batch, 1]), nothing,
        Beams(no_tokens, nothing, tf.zeros([batch, width], tf.int32)), tf.zeros([batch], tf.bool))
    pairs, triples = tf.TensorShape([None, None]), tf.TensorShape([None, None, None])
    shapes = _Loop(
        tf.TensorShape([]), tf.TensorShape([None, vocabulary_size]),
        tuple(tf.TensorShape([None, *part.shape[1:]]) for part in first_state),
        triples, pairs, pairs, Beams(triples, pairs, pairs), tf.TensorShape([None]))
    (loop,) = tf.while_loop(search_on, advance, (loop,), shape_invariants=(shapes,))
    return loop.finished

