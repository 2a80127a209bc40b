"""The contract of every backbone: one object that says what a network sees and gives, and builds it.

    encoder = load_encoder("resnet50")                    # or one of your own, see docs/data.md
    model = encoder.build(trainable=True)                 # a Keras model: preprocessed pixels to features
    features = model(encoder.preprocess(images))
    frozen = encoder.for_inference(precision="bfloat16")  # the same function, as fast as it goes; no training

make_records, export and training from pixels take any network through it, frozen or not, ours or the user's.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from flags.errors import UserError
from records.backbones.frozen_encoder import FrozenEncoder
from records.backbones.weights import load_weights

IMAGENET = "imagenet"


class Encoder:
    """A network without its classifier, from a square photo to one feature, with the preprocessing that it wants.

    Attributes:
      name: what manifests call it: a name of keras.applications, or module:function.
      image_size: side in pixels of the square that it sees.
      preprocessing: what `preprocess` does, in words. Records keep them, and features of other words do not fit: change
        them whenever `preprocess` changes.
      weights: "imagenet", the path of a file that is read into the network, or "" for those that it is made with.
    """

    def __init__(self, *, network: Callable[[], keras.Model], image_size: int,
                 preprocess: Callable[[tf.Tensor], tf.Tensor], preprocessing: str, name: str = "", weights: str = ""):
        """Describes a backbone; nothing is built yet.

        Args:
          network: makes the Keras model, float32 [B, image_size, image_size, 3] as `preprocess` gives them to float
            [B, F]. It may have weights already.
          preprocess: float32 [B, image_size, image_size, 3], RGB in 0..255, to what the network takes, in operations
            of TensorFlow or keras.ops, as it becomes part of the SavedModel.
          name: --backbone=module:function gives it, for a network of one's own.
        """
        self.name, self.image_size, self.preprocessing, self.weights = name, image_size, preprocessing, weights
        self._network, self._preprocess = network, preprocess
        self._feature_size: int | None = None

    @property
    def feature_size(self) -> int:
        """F, the length of one feature; the first time it builds the network to see."""
        if self._feature_size is None:
            self.build()
        assert self._feature_size is not None
        return self._feature_size

    def preprocess(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, H, W, 3], RGB in 0..255, to what the network takes."""
        return self._preprocess(images)

    def build(self, trainable: bool = False) -> keras.Model:
        """A new network with its weights: preprocessed pixels [B, image_size, image_size, 3] to features [B, F].

        Args:
          trainable: whether its layers are trainable; batch normalisations that are not use their stored statistics.

        Raises:
          UserError: the weights cannot be had or are another network's, or the network breaks this contract.
        """
        model = self._network()
        self._feature_size = self._check(model)
        if self.weights not in ("", IMAGENET):
            load_weights(model, self.weights)
        model.trainable = trainable
        return model

    def for_inference(self, model: keras.Model | None = None, *, precision: str = "float32", views: str = "one"
                      ) -> FrozenEncoder:
        """The network as one function from pixels to features, rewritten to run fast.

        Args:
          model: what `build` gave and training changed; None builds it.
          precision, views: see FrozenEncoder.

        Raises:
          UserError: as `build`; or the network has layers that cannot be rewritten for `precision`.
        """
        return FrozenEncoder(self, model or self.build(), precision, views)

    def _check(self, model: object) -> int:
        """F, after a look at the network's shapes."""
        size, where = self.image_size, f"--backbone={self.name}"
        if not isinstance(model, keras.Model):
            raise UserError(f"{where}: its network is a {type(model).__name__}, expected a keras.Model")
        try:
            taken, given = model.input_shape, model.output_shape
        except (AttributeError, ValueError):  # a subclass that was never called
            taken, given = (None, size, size, 3), tuple(model(tf.zeros([1, size, size, 3]), training=False).shape)
        fits = isinstance(taken, tuple) and len(taken) == 4 and all(
            side in (None, expected) for side, expected in zip(taken[1:], (size, size, 3), strict=True))
        if not fits:
            raise UserError(f"{where}: its network takes {taken}, expected one input of (batch, {size}, {size}, 3), as "
                            f"its image_size is {size}")
        if not (isinstance(given, tuple) and len(given) == 2 and given[1]):
            raise UserError(f"{where}: its network gives {given}, expected one feature per image, (batch, F); average "
                            "the last map over its positions, as pooling='avg' of keras.applications does")
        return given[1]
