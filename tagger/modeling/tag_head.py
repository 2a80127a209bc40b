"""A layer that tells a photo's tags straight from its feature, while a backbone is trained with them.

    head = TagHead(rates=outputs.rates(captions), feature_size=2048)
    head.logits(feature)                        # float32 [B, F] to float32 [B, T]

The published network reads tags off 128 numbers that captions need most; through them the backbone would learn little
about tags. Training from pixels gives it this shorter way, and no run keeps it: when training ends, the readout
(tagger.modeling.tag_readout) is solved on the features of the trained backbone.
"""

import keras
import numpy as np
import tensorflow as tf


class TagHead(tf.Module):
    """A linear function of the feature, zero at first but for the tags' rates.

    Attributes:
      kernel: float32 [F, T]. bias: float32 [T].
    """

    def __init__(self, *, rates: np.ndarray, feature_size: int):
        """rates: float [T], the share of a train photo's captions that have each tag; in (0, 1)."""
        super().__init__(name="tag_head")
        self.kernel = keras.Variable(np.zeros((feature_size, len(rates)), np.float32), name="kernel")
        self.bias = keras.Variable((np.log(rates) - np.log1p(-rates)).astype(np.float32), name="bias")
        for weight in (self.kernel, self.bias):
            weight._path = f"tag_head/{weight.name}"  # checkpoints know weights by their paths

    @property
    def weights(self) -> list[keras.Variable]:
        """Both."""
        return [self.kernel, self.bias]

    def logits(self, feature: tf.Tensor) -> tf.Tensor:
        """float32 [B, T] of features [B, F]; their sigmoids are the shares of a photo's captions that have each tag."""
        kernel, bias = (tf.convert_to_tensor(weight.value) for weight in self.weights)
        return tf.nn.bias_add(tf.matmul(feature, kernel), bias)
