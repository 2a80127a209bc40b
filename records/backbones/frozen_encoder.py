"""A backbone for inference: batch normalisation folded, weights fixed, one tf.function from pixels to features.

    backbone = load_backbone("resnet50", "imagenet")
    features = backbone(images)              # float32 [B, 224, 224, 3], RGB in 0..255 -> float32 [B, 2048]
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

from records.backbones.batch_norm_folding import fold_batch_norm
from records.backbones.weights import weights_sha256
from records.format.manifest import BackboneInfo
from records.images.mirroring import mirrored

if TYPE_CHECKING:
    from records.backbones.encoder import Encoder

_CROP = 0.8  # side of the centre crop of views="crops", as a share of the image's


class FrozenEncoder(tf.Module):
    """A backbone with weights, as one tf.function from pixels to features.

    As an attribute of a tf.Module that is saved, it brings its variables with it.

    Attributes:
      info: its identity, as manifests keep it to compare features by (records.format.backbone_identity). The hash is
        that of the weights before folding; the views, if there are several, are named in the preprocessing.
      image_size: side in pixels of the square that it sees.
      feature_size: F, the length of one feature.
      views: which views of an image are averaged: "one" (the image), "flip" (and its mirror image) or "crops" (and
        the central four fifths of both, enlarged).
      traced: `compute` as a tf.function for batches of any size.
    """

    def __init__(self, encoder: "Encoder", model: keras.Model, precision: str, views: str):
        """Arguments as of Encoder.for_inference, which makes it."""
        super().__init__(name=re.sub(r"\W", "_", encoder.name))
        self.image_size, self.feature_size, self.views = encoder.image_size, encoder.feature_size, views
        self.info = BackboneInfo(
            encoder.name, encoder.weights, weights_sha256(model), self.feature_size, self.image_size,
            encoder.preprocessing + ("" if views == "one" else f"; mean over views: {views}"), precision)
        self._preprocess = encoder.preprocess
        self._model = fold_batch_norm(model, precision)
        # Keras's own tracking misses some of them in a SavedModel; a plain list of tf.Variable is tracked by tf.Module.
        self._variables = [weight.value for weight in self._model.weights]
        self.traced = tf.function(self.compute, input_signature=[self._images(None)])

    @property
    def keras_variables(self) -> list[keras.Variable]:
        """Every weight of the network, batch normalisation folded in, for an export that stores them itself."""
        return self._model.weights

    def frozen(self, batch_size: int) -> Callable[[tf.Tensor], tf.Tensor]:
        """The same function for one batch size, its weights constants of the graph.

        TensorFlow then prepares them (layout, precision) once instead of in every call: a twentieth faster in
        float32, a tenth in bfloat16, for one more copy of the weights in memory.
        """
        values = [(weight, tf.constant(weight.numpy())) for weight in self._model.weights]

        @tf.function(input_signature=[self._images(batch_size)])
        def compute(images: tf.Tensor) -> tf.Tensor:
            with keras.StatelessScope(state_mapping=values):
                return self.compute(images)

        return compute

    def _images(self, batch_size: int | None) -> tf.TensorSpec:
        return tf.TensorSpec([batch_size, self.image_size, self.image_size, 3], tf.float32, name="images")

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """`compute`, traced once for batches of any size."""
        return self.traced(images)

    def compute(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, image_size, image_size, 3], RGB in 0..255, to float32 [B, feature_size]: mean over the views."""
        views = _views(images, self.views)
        features = self._model(self._preprocess(tf.concat(views, 0)), training=False)
        features = tf.reshape(tf.cast(features, tf.float32), [len(views), -1, self.feature_size])
        return tf.reduce_mean(features, 0)


def _views(images: tf.Tensor, views: str) -> list[tf.Tensor]:
    """The views of a batch, each of the batch's shape."""
    if views == "one":
        return [images]
    if views == "flip":
        return [images, mirrored(images)]
    size = images.shape[1]
    margin = round(size * (1 - _CROP) / 2)
    crop = tf.image.resize(images[:, margin:size - margin, margin:size - margin], [size, size])
    return [images, mirrored(images), crop, mirrored(crop)]
