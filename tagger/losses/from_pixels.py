"""The captions' loss on photos: a photo goes through the backbone once, and its feature serves all its captions."""

import dataclasses

import tensorflow as tf

from tagger.losses.cross_entropy import Batch, CrossEntropy, cross_entropy_value, tokens
from tagger.modeling.captioner import Captioner
from tagger.modeling.stateless_dropout import Noise, Stream, drop
from tagger.modeling.tag_outputs import TagOutputs


@dataclasses.dataclass(frozen=True, eq=False)
class FromPixels:
    """CrossEntropy of every caption of the photos of a batch; its gradient reaches the backbone.

    What the tag head is asked adds its gradient, but not its value, so that losses with and without it compare.

    Attributes:
      captions: what is asked of the merge model.
      tag_weight: what the loss of the tag head is multiplied by; see `head_loss`.
      tags: which words count for which tag; needed with a tag_weight.
    """

    captions: CrossEntropy
    tag_weight: float = 0.0
    tags: TagOutputs | None = None

    def units(self, batch: Batch) -> tf.Tensor:
        return tokens(batch)

    def __call__(self, model: Captioner, batch: Batch, noise: Noise | None) -> tf.Tensor:
        """See Objective. Caption r of photo p is row p R + r of the global batch."""
        feature, rows_noise = model.features(batch["image"]), noise
        if noise is not None:
            references = tf.shape(batch["targets"])[1]
            rows_noise = Noise(noise.seed, noise.first_row * references, noise.batch_rows * references)
        loss = self.captions(model.merge, _caption_rows(feature, batch), rows_noise)
        if not self.tag_weight:
            return loss
        assert self.tags is not None
        tags = self.tag_weight * head_loss(model, feature, batch["targets"], self.tags, noise)
        return loss + tags - tf.stop_gradient(tags)


def head_loss(model: Captioner, feature: tf.Tensor, targets: tf.Tensor, outputs: TagOutputs, noise: Noise | None
              ) -> tf.Tensor:
    """Binary cross-entropy of the tag head, summed over tags and captions: of which tags each caption has.

    Args:
      feature: float32 [b, F]. targets: int32 [b, R, T+1] words of all captions; one without any is left out.
      noise: decides the dropout of the feature, at the merge model's rate; None for no dropout.
    """
    assert model.tag_head is not None
    if noise is not None and model.merge.feature_dropout:
        bits = noise.of_rows(Stream.HEAD, tf.shape(feature)[0], model.merge.feature_size)
        feature = drop(feature, bits, model.merge.feature_dropout)
    logits = model.tag_head.logits(feature)
    shape = tf.shape(targets)
    present = tf.cast(targets[:, :, 0] > 0, tf.float32)
    occur = tf.reshape(outputs.occur(tf.reshape(targets, [-1, shape[2]])), [shape[0], shape[1], outputs.size])
    captions = tf.reduce_sum(present, axis=1)[:, tf.newaxis]
    # A caption's target is 0 or 1, and a photo's captions share their logits: their losses add up to this.
    has = tf.reduce_sum(occur * present[:, :, tf.newaxis], axis=1)
    return tf.reduce_sum(captions * tf.nn.softplus(logits) - has * logits)


def validation_loss(model: Captioner, batch: Batch) -> tf.Tensor:
    """Cross-entropy of every real token, float32 scalar, summed; without dropout."""
    return cross_entropy_value(model.merge, _caption_rows(model.features(batch["image"]), batch))


def _caption_rows(feature: tf.Tensor, batch: Batch) -> Batch:
    """The batch of CaptionDataset, b R rows, that stands for a batch of PixelDataset: b photos with R captions each."""
    references = tf.shape(batch["targets"])[1]
    feature = tf.repeat(feature, references, axis=0)
    rows = {name: tf.reshape(batch[name], [-1, tf.shape(batch[name])[2]]) for name in ("inputs", "targets")}
    return {"feature": feature, **rows}
