"""A backbone and the merge model as one network, for training both from pixels.

    captioner = Captioner(merge=merge_model, encoder=load_encoder("resnet50"), first_layer="conv4_block1")
    feature = captioner.features(images)             # uint8 [B, S, S, 3] -> float32 [B, F]
    captioner.weights                                # of the merge model, of the backbone, of the tag head

Batch normalisation stays as it was pretrained, its statistics and its scales: batches of photos for captioning are too
small, and too much alike on one replica, to estimate them anew (as im2txt does; Vinyals et al., "Show and Tell: Lessons
learned from the 2015 MSCOCO Image Captioning Challenge", 2016).
"""

import keras
import tensorflow as tf

from flags.errors import UserError
from records.backbones.batch_norm_folding import FoldedNetwork
from records.backbones.encoder import Encoder
from tagger.modeling.merge_model import MergeModel
from tagger.modeling.tag_head import TagHead

ALL = "all"


class Captioner(tf.Module):
    """The two networks, and which weights of the first learn.

    Attributes:
      merge: the merge model.
      backbone: Keras model from preprocessed pixels to features; weights are float32 whatever it computes in.
      tag_head: tells tags from the feature while this network is trained; None without.
    """

    def __init__(self, *, merge: MergeModel, encoder: Encoder, first_layer: str, compute_dtype: str = "float32",
                 tag_head: TagHead | None = None):
        """Builds the backbone; in the strategy's scope.

        Args:
          first_layer: name of the first layer that learns, or the beginning of its name; "all" for every one. Layers
            before it, in the order of the Keras model, and all batch normalisations stay as they are.
          compute_dtype: of the backbone's arithmetic: "float32", "bfloat16" or "float16".

        Raises:
          UserError: the backbone has no such layer, or its weights cannot be had.
        """
        super().__init__(name="captioner")
        self.merge, self.tag_head, self._encoder = merge, tag_head, encoder
        self.backbone = encoder.build(trainable=True)
        layers = _leaves(self.backbone)
        for layer in layers[:_first(layers, first_layer, encoder.name)]:
            layer.trainable = False
        for layer in layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
        self._learning = list(self.backbone.trainable_weights)
        for number, weight in enumerate(self._learning):
            # Checkpoints know weights by their paths, and Keras numbers unnamed layers on from those made before.
            weight._path = f"backbone/{number:03}_{weight.name}"
        self._network = FoldedNetwork(self.backbone, compute_dtype)

    @property
    def weights(self) -> list[keras.Variable]:
        """Those of the merge model in the published order, those of the backbone that learn, those of the tag head."""
        return [*self.merge.weights, *self._learning, *(self.tag_head.weights if self.tag_head else [])]

    @property
    def backbone_weights(self) -> list[keras.Variable]:
        """Those of the backbone that learn."""
        return self._learning

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """uint8 [B, S, S, 3], RGB, to float32 [B, F]: what the merge model is given.

        S is the encoder's image size, or another that `takes` allows.
        """
        pixels = self._encoder.preprocess(tf.cast(images, tf.float32))
        return tf.cast(self._network(pixels), tf.float32)

    def takes(self, size: int) -> bool:
        """Whether the backbone takes images of so many pixels a side."""
        try:
            tf.function(self.features).get_concrete_function(tf.TensorSpec([None, size, size, 3], tf.uint8))
        except ValueError:
            return False
        return True


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """Every layer in order, those of nested models in their place."""
    return [leaf for layer in model.layers
            for leaf in (_leaves(layer) if isinstance(layer, keras.Model) else [layer])]


def _first(layers: list[keras.layers.Layer], name: str, backbone: str) -> int:
    if name == ALL:
        return 0
    for number, layer in enumerate(layers):
        if layer.name.startswith(name):
            return number
    weighty = [layer.name for layer in layers if layer.weights]
    shown = [*weighty[:3], "…", *weighty[-3:]] if len(weighty) > 6 else weighty
    raise UserError(f"--train_backbone={name}: {backbone} has no layer whose name begins so; its layers with weights "
                    f"are {', '.join(shown)}; give one of them, or all")
