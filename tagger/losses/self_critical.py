"""Self-critical training: captions that the model samples are made more or less probable by their CIDEr-D.

Cross-entropy asks for every word of the reference as it is; scores ask for captions that agree with people as a whole.
Here each image gets S sampled captions; one that scores better than the other samples of its image becomes more
probable, one that scores worse less. It starts from a model trained with cross-entropy (--self_critical_epochs).
Samples depend on the seed, the step and the place in the global batch only; rounding, which differs between numbers of
devices, can still decide one of them otherwise.

Rennie et al., "Self-critical sequence training for image captioning", 2017; the mean of the other samples as baseline:
Luo, "A better variant of self-critical sequence training", 2020 (https://arxiv.org/abs/2003.09971).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END, PAD, UNK
from tagger.losses.cross_entropy import Batch, CrossEntropy, positions, rows
from tagger.losses.fused_softmax import softmax_loss
from tagger.modeling.lstm import Activations, Recurrence
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import Packing
from tagger.modeling.products import product
from tagger.modeling.stateless_dropout import Noise, Stream

_BLOCK = 64  # classes


@dataclasses.dataclass(frozen=True, eq=False)
class SelfCritical:
    """Minus the mean reward of sampled captions, by its policy gradient; supervision adds its gradient to it.

    Attributes:
      reward: (sampled int32 [B, S, T], references int32 [B, R, T']) to float32 [B, S].
      samples: S, captions sampled per image; at least 2.
      max_length: T, words of the longest sampled caption, <end> included.
      supervised: what one reference caption per image adds to the gradient: its words and its tags, each with its
        weight. The reward does not teach tags.
    """

    reward: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    samples: int
    max_length: int
    supervised: CrossEntropy

    def units(self, batch: Batch) -> tf.Tensor:
        return rows(batch)

    def __call__(self, model: MergeModel, batch: Batch, noise: Noise | None) -> tf.Tensor:
        """See Objective; noise is needed; the value is minus the sum over images of the mean reward of their samples.

        `batch` holds `references` int32 [B, R, T'] beside the usual.
        """
        assert noise is not None, "captions cannot be sampled without noise"
        images = tf.shape(batch["targets"])[0]
        # Without dropout, so that the samples' probabilities are those of the model that is used later; but for that of
        # the features, without which the rewards of the train photos would be learnt by heart.
        image = tf.repeat(model.image(batch["feature"], noise), self.samples, axis=0)
        uniform = _uniform(noise, images, self.samples, self.max_length)
        samples = sample_captions(model, image, uniform)
        sampled = samples.words
        rewards = self.reward(tf.reshape(sampled, [images, self.samples, self.max_length]), batch["references"])
        rewards *= tf.cast(batch["targets"][:, :1] > 0, tf.float32)  # rows that only fill the batch
        total = tf.reduce_sum(rewards, axis=1, keepdims=True)
        advantage = tf.reshape(rewards - (total - rewards) / (self.samples - 1), [-1])       # [B * S]

        packing, targets, weights = positions(model, sampled)
        advantage = tf.gather(advantage, packing.index // self.max_length)
        inputs = tf.where(sampled == END, PAD, sampled)[:, :-1]
        # What the LSTM computed to write the words is what learning begins with.
        passed = samples.at(packing) if model.recurrence is Recurrence.PACKED else None
        hidden = model.hidden(image, inputs, packing, passed=passed)
        loss = softmax_loss(hidden, *model.output_weights(), targets,
                            advantage if weights is None else advantage * weights,
                            chunked=model.recurrence.cache_sized_chunks, product_dtype=model.softmax_dtype)
        loss /= self.samples
        # The gradient is that of the weighted log probabilities; the value that people watch is the reward.
        loss += tf.stop_gradient(-tf.reduce_sum(total) / self.samples - loss)
        supervised = self.supervised(model, batch, noise)
        return loss + supervised - tf.stop_gradient(supervised)


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
        word = draw_words(logits, tf.gather(uniform[:, position], row))
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


def _uniform(noise: Noise, images: tf.Tensor, samples: int, longest: int) -> tf.Tensor:
    """float32 [images * samples, longest] in [0, 1), a function of the seed and of each image's place in the batch."""
    words = samples * longest
    data = noise.of_rows(Stream.SAMPLE, images, 4 * words)
    bits = tf.bitcast(tf.reshape(data, [images, words, 4]), tf.uint32)
    # 24 bits, as many as float32 holds exactly, so that 1 is never reached.
    return tf.reshape(tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0 ** -24, [-1, longest])
