"""The captions' loss on photos: a photo goes through the backbone once, and its feature serves all its captions."""

import dataclasses

import tensorflow as tf

from tagger.losses.cross_entropy import Batch, CrossEntropy, cross_entropy_value, tokens
from tagger.modeling.captioner import Captioner
from tagger.modeling.stateless_dropout import Noise


@dataclasses.dataclass(frozen=True, eq=False)
class FromPixels:
    """CrossEntropy of every caption of the photos of a batch; its gradient reaches the backbone.

    Attributes:
      captions: what is asked of the merge model.
    """

    captions: CrossEntropy

    def units(self, batch: Batch) -> tf.Tensor:
        return tokens(batch)

    def __call__(self, model: Captioner, batch: Batch, noise: Noise | None) -> tf.Tensor:
        """See Objective. Caption r of photo p is row p R + r of the global batch."""
        if noise is not None:
            references = tf.shape(batch["targets"])[1]
            noise = Noise(noise.seed, noise.first_row * references, noise.batch_rows * references)
        return self.captions(model.merge, _caption_rows(model, batch), noise)


def validation_loss(model: Captioner, batch: Batch) -> tf.Tensor:
    """Cross-entropy of every real token, float32 scalar, summed; without dropout."""
    return cross_entropy_value(model.merge, _caption_rows(model, batch))


def _caption_rows(model: Captioner, batch: Batch) -> Batch:
    """The batch of CaptionDataset, b R rows, that stands for a batch of PixelDataset: b photos with R captions each."""
    references = tf.shape(batch["targets"])[1]
    feature = tf.repeat(model.features(batch["image"]), references, axis=0)
    rows = {name: tf.reshape(batch[name], [-1, tf.shape(batch[name])[2]]) for name in ("inputs", "targets")}
    return {"feature": feature, **rows}
