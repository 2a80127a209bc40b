"""What a training step minimises: the published cross-entropy, and what --tag_weight and --teachers add to it.

An objective is called on one replica's rows and returns a sum; the step divides by the number of units (real tokens,
images) of the global batch, so the mean does not depend on which replica a row falls on.
"""

import dataclasses
from typing import Any, Protocol

import tensorflow as tf

from tagger.losses.distillation import Teachers
from tagger.losses.fused_softmax import softmax_loss, softmax_loss_value
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import Packing, every_position, pack
from tagger.modeling.stateless_dropout import Noise
from tagger.modeling.tag_outputs import TagOutputs

Batch = dict[str, tf.Tensor]


class Objective(Protocol):
    """A sum over units that is differentiated."""

    def units(self, batch: Batch) -> tf.Tensor:
        """float32 scalar: how many units the rows hold."""

    def __call__(self, model: Any, batch: Batch, noise: Noise | None) -> tf.Tensor:
        """float32 scalar, the sum.

        Args:
          batch: `feature`, `inputs` and `targets` of records.input.caption_dataset, and what else the objective needs.
          noise: decides dropout and samples; None for no dropout.
        """


def tokens(batch: Batch) -> tf.Tensor:
    """float32 scalar: real tokens of the batch, <end> included."""
    return tf.math.count_nonzero(batch["targets"], dtype=tf.float32)


def rows(batch: Batch) -> tf.Tensor:
    """float32 scalar: captions with a token."""
    return tf.math.count_nonzero(batch["targets"][..., 0], dtype=tf.float32)


def positions(model: MergeModel, targets: tf.Tensor) -> tuple[Packing, tf.Tensor, tf.Tensor | None]:
    """Positions to compute, the target at each, and their weights (None: all one).

    The real ones, except for XLA, which has to know how many there are.
    """
    mask = tf.not_equal(targets, 0)
    if not model.recurrence.fixed_shapes:
        packing = pack(mask)
        return packing, tf.gather(tf.reshape(targets, [-1]), packing.index), None
    return every_position(mask), tf.reshape(targets, [-1]), tf.cast(tf.reshape(mask, [-1]), tf.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class CrossEntropy:
    """Cross-entropy of every real token, <end> included; tags add their gradient, but not their value.

    So the losses of runs with and without tags compare, with one another and with the validation loss.

    Attributes:
      label_smoothing: share of each target's probability that is spread over the vocabulary.
      caption_weight: what the cross-entropy is multiplied by; 0 leaves it out.
      tag_weight: what the loss of the caption's tags is multiplied by; see `tag_loss`.
      tags: which logits speak for which tags; needed with a tag_weight.
      teachers: whose mean answer is part of the targets, of words and of tags; None for the captions alone.
    """

    label_smoothing: float = 0.0
    tag_weight: float = 0.0
    tags: TagOutputs | None = None
    caption_weight: float = 1.0
    teachers: Teachers | None = None

    def units(self, batch: Batch) -> tf.Tensor:
        return tokens(batch)

    def __call__(self, model: MergeModel, batch: Batch, noise: Noise | None) -> tf.Tensor:
        image = model.image(batch["feature"], noise)
        teachers, loss = self.teachers, tf.constant(0.0)
        if self.caption_weight:
            packing, targets, weights = positions(model, batch["targets"])
            hidden = model.hidden(image, batch["inputs"], packing, noise)
            words = teachers.words(batch["feature"], batch["inputs"], packing) if teachers else None
            loss = self.caption_weight * softmax_loss(
                hidden, *model.output_weights(), targets, weights, self.label_smoothing,
                model.recurrence.cache_sized_chunks, words, teachers.share if teachers else 0.0, model.softmax_dtype)
        if not self.tag_weight:
            return loss
        assert self.tags is not None
        logits = model.tag_logits(image, noise)
        soft = (teachers.tags(batch["feature"]), teachers.share) if teachers else ()
        tags = self.tag_weight * tag_loss(logits, batch["targets"], self.tags, *soft)
        return loss + tags - tf.stop_gradient(tags)


def tag_loss(logits: tf.Tensor, targets: tf.Tensor, outputs: TagOutputs, soft: tf.Tensor | None = None,
             soft_share: float = 0.0) -> tf.Tensor:
    """Binary cross-entropy of which tags the row's own caption has, summed over tags and rows.

    Over the captions of an image it is least where sigmoid(logit) is the share of them that have the tag.

    Args:
      logits: float32 [B, V]. targets: int32 [B, T+1] words of a caption; a row without any is left out.
      outputs: which of the V logits speak for which tag.
      soft: float32 [B, V], probabilities such as a teacher's, which get `soft_share` of the target.
    """
    has = outputs.occur(targets)
    if soft is not None:
        has = (1 - soft_share) * has + soft_share * outputs.logits(soft)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(has, outputs.logits(logits))
    return tf.reduce_sum(tf.where(targets[:, :1] > 0, losses, 0.0))


def cross_entropy_value(model: MergeModel, batch: Batch) -> tf.Tensor:
    """Cross-entropy of every real token, summed, without dropout; not to be differentiated."""
    packing, targets, weights = positions(model, batch["targets"])
    hidden = model.hidden(model.image(batch["feature"]), batch["inputs"], packing)
    return softmax_loss_value(hidden, *model.output_weights(), targets, weights)
