"""Captions drawn from a model word by word, for an objective that learns from them.

    samples = sample_captions(model, image, uniform)
    hidden = model.hidden(image, inputs, packing, passed=samples.at(packing))       # no second pass of the LSTM

Captions that have ended leave the computation, which from the middle of a batch on is most of them.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END, PAD, UNK
from tagger.modeling.lstm import Activations
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import Packing
from tagger.modeling.products import product

_BLOCK = 64  # classes


class Samples(NamedTuple):
    """Captions that a model has written word by word.

    Attributes:
      words: int32 [M, T], <end> included, right-padded with 0. What has no <end> after T words stays without.
      activations: of the LSTM at the positions of all words, those of the first words first, each in the order of rows.
    """

    words: tf.Tensor
    activations: Activations

    def at(self, packing: Packing) -> Activations:
        """The LSTM's activations at packed positions of the words."""
        captions, longest = tf.shape(self.words)[0], self.words.shape[1]
        drawn = tf.cast(tf.transpose(self.words) != PAD, tf.int32)
        number = tf.cumsum(tf.reshape(drawn, [-1]), exclusive=True)
        row, time = packing.index // longest, packing.index % longest
        number = tf.gather(number, time * captions + row)
        return Activations(*(tf.gather(part, number) for part in self.activations))


def sample_captions(model: MergeModel, image: tf.Tensor, uniform: tf.Tensor) -> Samples:
    """Captions drawn word by word from the model, not to be differentiated; <pad> and <unk> are never drawn.

    Args:
      image: [M, units] from `MergeModel.image`.
      uniform: float32 [M, T] in [0, 1), which decides the words.
    """
    captions, longest = tf.shape(image)[0], uniform.shape[1]
    image = tf.stop_gradient(image)
    (kernel, bias), table = _sampled_layer(*model.output_weights()), model.embeddings()
    kernel = tf.cast(kernel, model.softmax_dtype)

    def draw(position: tf.Tensor, row: tf.Tensor, activations: Activations, words: tf.TensorArray,
             *parts: tf.TensorArray) -> tuple:
        parts = tuple(part.write(position, value) for part, value in zip(parts, activations, strict=True))
        hidden = model.output_hidden(activations.outputs, tf.gather(image, row))
        logits = tf.nn.bias_add(product(tf.cast(hidden, tf.float32), kernel, kernel.dtype), bias)
        word = tf.minimum(draw_words(logits, tf.gather(uniform[:, position], row)), model.vocabulary_size - 1)
        words = words.write(position, tf.scatter_nd(row[:, tf.newaxis], word, captions[tf.newaxis]))
        left = tf.where(word != END)[:, 0]
        read, place = tf.unique(tf.gather(word, left))  # few: many rows go on with the same word
        outputs, cells = tf.gather(activations.outputs, left), tf.gather(activations.cells, left)
        activations = model.read_words(tf.gather(table, read), outputs, cells, place)
        return position + 1, tf.gather(row, left), activations, words, *parts

    first = model.read_image(image)
    shapes = Activations(*(tf.TensorShape([None, part.shape[1]]) for part in first))
    arrays = [tf.TensorArray(part.dtype, longest, element_shape=shape, infer_shape=False)
              for part, shape in zip(first, shapes, strict=True)]
    words = tf.TensorArray(tf.int32, longest, element_shape=[None], infer_shape=False)
    _, _, _, words, *parts = tf.while_loop(
        lambda position, *_: position < longest, draw, (tf.constant(0), tf.range(captions), first, words, *arrays),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), shapes) + 4 * (tf.TensorShape(None),))
    return Samples(tf.ensure_shape(tf.transpose(words.stack()), [None, longest]),
                   Activations(*(tf.stop_gradient(part.concat()) for part in parts)))


def draw_words(logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """int32 [n]: for each row of logits float32 [n, V'] a class, with the probabilities of their softmax.

    The class is where the cumulative sum of the probabilities passes `uniform`, float32 [n] in [0, 1). Sums over all
    classes are slow, so they are made of sums over blocks, and classes are looked at only in the block that has it.

    Args:
      logits: V' is a multiple of the block; -inf for what is never drawn.
    """
    blocks = logits.shape[1] // _BLOCK
    exponentials = tf.reshape(tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True)), [-1, blocks, _BLOCK])
    block, rest = _passing(tf.reduce_sum(exponentials, axis=2), uniform)
    rows = tf.range(tf.shape(logits)[0])
    inside, _ = _passing(tf.gather_nd(exponentials, tf.stack([rows, block], axis=1)), rest)
    return block * _BLOCK + inside


def _passing(weights: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the cumulative sum of weights float32 [n, k] passes the share `uniform` of the whole, int32 [n]; and which
    share of the weight there lies below that, float32 [n] in [0, 1).
    """
    cumulative = tf.cumsum(weights, axis=1)
    # Below the sum of all, whatever the rounding, so that what is chosen has a weight.
    level = uniform * (cumulative[:, -1] * (1 - 2.0 ** -23))
    index = tf.searchsorted(cumulative, level[:, tf.newaxis], side="right")
    index = tf.minimum(index, weights.shape[1] - 1)  # numbers that are not finite pass nothing
    at = tf.gather(cumulative, index, batch_dims=1)[:, 0]
    weight = tf.gather(weights, index, batch_dims=1)[:, 0]
    below = (level - (at - weight)) / weight
    return index[:, 0], tf.clip_by_value(below, 0.0, 1 - 2.0 ** -24)


def _sampled_layer(kernel: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The output layer for `draw_words`: whole blocks of classes, with a bias of -inf where none is to be drawn."""
    classes = kernel.shape[1]
    missing = -classes % _BLOCK
    forbidden = np.zeros(classes, np.float32)
    forbidden[[PAD, UNK]] = -np.inf
    return (tf.pad(kernel, [[0, 0], [0, missing]]),
            tf.pad(bias + forbidden, [[0, missing]], constant_values=-np.inf))
