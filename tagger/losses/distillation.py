"""Models whose mean answer is learnt beside the captions (--teachers).

A caption says one word at each place; several models, averaged, say how likely every other word would have been. On a
few thousand photos that is much of what can be known, and it holds a model back from learning the photos by heart.

Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015 (https://arxiv.org/abs/1503.02531), at a
temperature of 1.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tagger.modeling.merge_model import MergeModel
from tagger.modeling.packed_sequence import Packing


@dataclasses.dataclass(frozen=True, eq=False)
class Teachers:
    """Trained models and how much they count.

    Attributes:
      models: at least one, over the student's vocabulary and features.
      share: of every target that is the teachers' mean probability; the rest is what the caption says.
    """

    models: Sequence[MergeModel]
    share: float

    def words(self, feature: tf.Tensor, inputs: tf.Tensor, packing: Packing) -> tf.Tensor:
        """Mean probability float32 [N, V] of each word at the packed positions; arguments as of `MergeModel.hidden`."""
        return self._mean([tf.nn.softmax(model.logits(model.hidden(model.image(feature), inputs, packing)))
                           for model in self.models])

    def tags(self, feature: tf.Tensor) -> tf.Tensor:
        """Mean probability float32 [B, V] that a caption of the image has the tag; models trained with --tag_weight."""
        return self._mean([tf.sigmoid(model.tag_logits(model.image(feature))) for model in self.models])

    def _mean(self, p: list[tf.Tensor]) -> tf.Tensor:
        return tf.stop_gradient(tf.add_n(p) / len(p))
