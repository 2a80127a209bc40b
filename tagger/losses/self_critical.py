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

import tensorflow as tf

from records.text.vocabulary import END, PAD
from tagger.losses.cross_entropy import Batch, CrossEntropy, positions, rows
from tagger.losses.fused_softmax import softmax_loss
from tagger.losses.sampling import sample_captions
from tagger.modeling.lstm import Recurrence
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.stateless_dropout import Noise, Stream


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


def _uniform(noise: Noise, images: tf.Tensor, samples: int, longest: int) -> tf.Tensor:
    """float32 [images * samples, longest] in [0, 1), a function of the seed and of each image's place in the batch."""
    words = samples * longest
    data = noise.of_rows(Stream.SAMPLE, images, 4 * words)
    bits = tf.bitcast(tf.reshape(data, [images, words, 4]), tf.uint32)
    # 24 bits, as many as float32 holds exactly, so that 1 is never reached.
    return tf.reshape(tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0 ** -24, [-1, longest])
