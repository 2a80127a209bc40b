"""The classification networks of keras.applications as Encoders, each under its own name.

    names()                                # {"resnet50": "ResNet50", "efficientnet_v2_b0": "EfficientNetV2B0", …}
    application("inception_v3", "imagenet").image_size       # 299

Image size and preprocessing are asked of Keras itself, so a network that Keras adds needs nothing here.
"""

import functools
import re
import sys
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from flags.errors import UserError
from records.backbones.encoder import IMAGENET, Encoder

_USUAL_SIZE = 224  # that of ImageNet's classifiers; for networks that take any size (MobileNetV3)
_STANDARD_DEVIATION = [0.229, 0.224, 0.225]  # of ImageNet's pixels, scaled to 0..1

Preprocess = Callable[[tf.Tensor], tf.Tensor]


def _caffe(images: tf.Tensor) -> tf.Tensor:
    return tf.reverse(images, [-1]) - tf.constant([103.939, 116.779, 123.68], images.dtype)


def _tf(images: tf.Tensor) -> tf.Tensor:
    return images / 127.5 - 1.0


def _torch(images: tf.Tensor) -> tf.Tensor:
    return (images / 255.0 - tf.constant([0.485, 0.456, 0.406], images.dtype)) / tf.constant(
        _STANDARD_DEVIATION, images.dtype)


# What Keras calls the conventions, in words for the manifest.
_CONVENTIONS: tuple[tuple[Preprocess, str], ...] = (
    (_caffe, "caffe: RGB to BGR, ImageNet mean [103.939, 116.779, 123.68] subtracted"),
    (_tf, "tf: scaled to -1..1"),
    (_torch, "torch: scaled to 0..1, ImageNet mean and standard deviation normalised"),
    (tf.identity, "none: RGB in 0..255, which the network itself scales"),
)


@functools.cache
def names() -> dict[str, str]:
    """Constructors of keras.applications by --backbone name."""
    return {_snake_case(name): name for name in sorted(dir(keras.applications)) if name[0].isupper()}


def _snake_case(constructor: str) -> str:
    """resnet50 for ResNet50, efficientnet_v2_b0 for EfficientNetV2B0, convnext_xlarge for ConvNeXtXLarge."""
    word = re.sub("NeXt|Net", lambda match: match[0].lower(), constructor)
    return "_".join(re.findall(r"[A-Z]+[a-z]*\d*", word)).lower()


def application(name: str, weights: str = "", image_size: int = 0) -> Encoder:
    """A network of keras.applications without its classifier, its last map averaged over positions.

    Args:
      name: a key of names().
      weights: "imagenet" (Keras downloads them once), the path of a weights file, or "" for random ones.
      image_size: side in pixels of the square that it is to see; 0: what Keras's own classifier of it takes. Building
        it raises UserError where the network takes no such size.
    """
    constructor = getattr(keras.applications, names()[name])
    size = image_size or _image_size(constructor)
    preprocess, words = _preprocessing(constructor)
    return _Application(name=name, image_size=size, preprocess=preprocess, preprocessing=words, weights=weights,
                        network=functools.partial(_network, name, size, weights))


class _Application(Encoder):
    def build(self, trainable: bool = False) -> keras.Model:
        """As Encoder's, with the statistics of EfficientNet B0 to B7 put right.

        Their published files hold ImageNet's standard deviation where the normalisation expects its square. Keras makes
        up for it with one more layer, but only in a network that it makes with weights="imagenet": read from a file,
        the same weights would compute something else.
        """
        model = super().build(trainable)
        for layer in filter(_adapted, model.layers):
            if np.allclose(layer.adapt_variance, _STANDARD_DEVIATION, atol=1e-3):
                layer.adapt_variance.assign(np.square(_STANDARD_DEVIATION, dtype=np.float32))
            layer.finalize_state()
        return model


def _network(name: str, size: int, weights: str) -> keras.Model:
    arguments = {"include_top": False, "pooling": "avg", "input_shape": (size, size, 3), "name": name}
    architecture = getattr(keras.applications, names()[name])

    def made(weights: str | None) -> keras.Model:
        try:
            return architecture(weights=weights, **arguments)
        except ValueError as error:
            raise UserError(f"--image_size={size}: --backbone={name} takes no such photos ({error})") from error

    if weights != IMAGENET:
        return made(None)
    try:
        model = made(IMAGENET)
    except UserError:
        raise
    except Exception as error:  # get_file raises bare Exception for a failed download
        address = re.search(r"https?://\S+?(?=[\s:]|$)", str(error))
        reason = re.sub(r" on https?://\S+?(?=[\s:]|$)", "", str(error))
        raise UserError(f"--backbone_weights=imagenet: Keras could not download the weights of {name} "
                        f"({reason}); fetch {address[0] if address else 'that file'} where that is possible and give "
                        f"its path as --backbone_weights=PATH") from error
    if not any(map(_adapted, model.layers)):
        return model
    plain = made(None)  # its like is what a file is read into; see _Application.build
    pairs = zip(*([layer for layer in one.layers if layer.weights] for one in (plain, model)), strict=True)
    for layer, source in pairs:
        layer.set_weights(source.get_weights())
    return plain


def _adapted(layer: keras.layers.Layer) -> bool:
    """Whether a layer normalises with statistics that are weights."""
    return isinstance(layer, keras.layers.Normalization) and layer.input_mean is None


def _image_size(constructor: Callable[..., keras.Model]) -> int:
    """Side in pixels of what Keras's own classifier of a network takes.

    A constructor tells before it builds anything: it refuses the published classifier at another size.
    """
    try:
        constructor(weights=IMAGENET, input_shape=(1, 1, 3))
    except ValueError as refusal:
        size = re.search(r"should be \((\d+), \1, 3\)", str(refusal))
        return int(size[1]) if size else _USUAL_SIZE
    return _USUAL_SIZE


def _preprocessing(constructor: Callable[..., keras.Model]) -> tuple[Preprocess, str]:
    """What Keras's preprocess_input of a network does, as one of the conventions."""
    module = sys.modules[constructor.__module__]
    pixels = np.linspace(0, 255, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    expected = module.preprocess_input(pixels.copy())
    for convention, words in _CONVENTIONS:
        if np.allclose(convention(tf.constant(pixels)), expected, atol=1e-4):
            return convention, words
    return module.preprocess_input, f"preprocess_input of {module.__name__}"
