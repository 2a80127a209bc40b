"""Pretrained networks that turn pixels into one feature per image; each with the preprocessing it was trained with.

    backbone = load_backbone("resnet50", "imagenet")
    features = backbone(images)              # float32 [B, 224, 224, 3], RGB in 0..255 -> float32 [B, 2048]

A new backbone is one more entry in BACKBONES.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

import keras
import tensorflow as tf

from flags.errors import UserError
from records.backbones.batch_norm_folding import fold_batch_norm
from records.backbones.weights import load_weights, weights_sha256

PRECISIONS = ("float32", "bfloat16")
VIEWS = ("one", "flip", "crops")
_CROP = 0.8  # side of the centre crop of views="crops", as a share of the image's

_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"


def _caffe(images: tf.Tensor) -> tf.Tensor:
    return images[..., ::-1] - tf.constant([103.939, 116.779, 123.68], images.dtype)


def _tf(images: tf.Tensor) -> tf.Tensor:
    return images / 127.5 - 1.0


def _torch(images: tf.Tensor) -> tf.Tensor:
    return (images / 255.0 - tf.constant([0.485, 0.456, 0.406], images.dtype)) / tf.constant(
        [0.229, 0.224, 0.225], images.dtype)


# What keras.applications calls the three conventions, in words for the manifest.
_PREPROCESSING: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], str]] = {
    "caffe": (_caffe, "caffe: RGB to BGR, ImageNet mean [103.939, 116.779, 123.68] subtracted"),
    "tf": (_tf, "tf: scaled to -1..1"),
    "torch": (_torch, "torch: scaled to 0..1, ImageNet mean and standard deviation normalised"),
}


@dataclasses.dataclass(frozen=True)
class Backbone:
    """One architecture of keras.applications, without its classifier, its last map averaged over positions.

    Attributes:
      name: the --backbone value.
      constructor: its name in keras.applications.
      feature_size: channels of its last map, the length of one feature.
      convention: how it wants its pixels: "caffe", "tf" or "torch".
      weights_url: the file that Keras downloads for weights="imagenet".
      image_size: side in pixels of the square it sees.
    """

    name: str
    constructor: str
    feature_size: int
    convention: str
    weights_url: str
    image_size: int = 224

    @property
    def preprocessing(self) -> str:
        """What happens to pixels in 0..255 before the first layer, in words."""
        return _PREPROCESSING[self.convention][1]

    def preprocess(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, H, W, 3], RGB in 0..255, to what the first layer expects."""
        return _PREPROCESSING[self.convention][0](images)

    def build(self, weights: str | None) -> keras.Model:
        """The Keras model: preprocessed pixels [B, 224, 224, 3] to features [B, feature_size].

        Args:
          weights: "imagenet" (Keras downloads them once), the path of a weights file, or None for random ones.

        Raises:
          UserError: the download failed, or the file is not one of this backbone's weights.
        """
        architecture = getattr(keras.applications, self.constructor)
        arguments = {"include_top": False, "pooling": "avg", "input_shape": (self.image_size, self.image_size, 3)}
        if weights != "imagenet":
            model = architecture(weights=None, name=self.name, **arguments)
            if weights is not None:
                load_weights(model, weights)
            return model
        try:
            return architecture(weights="imagenet", name=self.name, **arguments)
        except Exception as error:  # get_file raises bare Exception for a failed download
            raise UserError(f"--backbone_weights=imagenet: Keras could not download the weights of {self.name} "
                            f"({error}); fetch {self.weights_url} where that is possible and give its path as "
                            f"--backbone_weights=PATH") from error


BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in (
    Backbone("resnet50", "ResNet50", 2048, "caffe",
             f"{_KERAS_FILES}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    Backbone("mobilenet_v2", "MobileNetV2", 1280, "tf",
             f"{_KERAS_FILES}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
    Backbone("densenet201", "DenseNet201", 1920, "torch",
             f"{_KERAS_FILES}/densenet/densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    # Its published features are the 4,096 outputs of a fully connected layer; here, as for the others, the last
    # map (7 x 7 x 512, after the fifth pooling) is averaged, so a feature has 512 numbers.
    Backbone("vgg16", "VGG16", 512, "caffe",
             f"{_KERAS_FILES}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
)}


class LoadedBackbone(tf.Module):
    """A backbone with weights, as one tf.function from pixels to features.

    As an attribute of a tf.Module that is saved, it brings its variables with it.

    Attributes:
      spec: the registry's entry.
      weights: the --backbone_weights value.
      weights_sha256: hash of the weights' values (records.backbones.weights.weights_sha256).
      precision: "float32" or "bfloat16".
      views: which views of an image are averaged: "one" (the image), "flip" (and its mirror image) or "crops" (and
        the central four fifths of both, enlarged).
      preprocessing: words for the manifest.
    """

    def __init__(self, spec: Backbone, model: keras.Model, weights: str, precision: str, views: str):
        super().__init__(name=spec.name)
        self.spec, self.weights, self.precision, self.views = spec, weights, precision, views
        self.weights_sha256 = weights_sha256(model)
        self.preprocessing = spec.preprocessing + ("" if views == "one" else f"; mean over views: {views}")
        self._model = fold_batch_norm(model, precision)
        # Keras's own tracking misses some of them in a SavedModel; a plain list of tf.Variable is tracked by tf.Module.
        self._variables = [variable.value for variable in self._model.variables]
        self.traced = tf.function(self.compute, input_signature=[self._images(None)])

    @property
    def feature_size(self) -> int:
        return self.spec.feature_size

    @property
    def keras_variables(self) -> list[keras.Variable]:
        """Every weight of the network, batch normalisation folded in, for an export that stores them itself."""
        return self._model.variables

    def frozen(self, batch_size: int) -> Callable[[tf.Tensor], tf.Tensor]:
        """The same function for one batch size, its weights constants of the graph.

        TensorFlow then prepares them (layout, precision) once instead of in every call: a twentieth faster in
        float32, a tenth in bfloat16, for one more copy of the weights in memory.
        """
        values = [(variable, tf.constant(variable.numpy())) for variable in self._model.variables]

        @tf.function(input_signature=[self._images(batch_size)])
        def compute(images: tf.Tensor) -> tf.Tensor:
            with keras.StatelessScope(state_mapping=values):
                return self.compute(images)

        return compute

    def _images(self, batch_size: int | None) -> tf.TensorSpec:
        return tf.TensorSpec([batch_size, self.spec.image_size, self.spec.image_size, 3], tf.float32, name="images")

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """`compute`, traced once for batches of any size."""
        return self.traced(images)

    def compute(self, images: tf.Tensor) -> tf.Tensor:
        """float32 [B, image_size, image_size, 3], RGB in 0..255, to float32 [B, feature_size]: mean over the views."""
        views = _views(images, self.views)
        features = self._model(self.spec.preprocess(tf.concat(views, 0)), training=False)
        features = tf.reshape(tf.cast(features, tf.float32), [len(views), -1, self.spec.feature_size])
        return tf.reduce_mean(features, 0)


def load_backbone(name: str, weights: str, precision: str = "float32", views: str = "one") -> LoadedBackbone:
    """Builds a backbone with its weights.

    Args:
      name: a key of BACKBONES.
      weights: "imagenet" or the path of a weights file, with or without the classifier's weights.
      precision: "bfloat16" computes the layers in bfloat16 (features off by about 1e-2, relative L2): on GPUs and on
        CPUs with AVX512-BF16 or AMX (see `slow_precision`).
      views: "one", "flip" or "crops"; see LoadedBackbone. Time grows to 2 and 4 times.

    Raises:
      UserError: no such backbone, precision or views; the weights cannot be had or are another network's.
    """
    for flag, value, known in (("backbone", name, BACKBONES), ("backbone_precision", precision, PRECISIONS),
                               ("feature_views", views, VIEWS)):
        if value not in known:
            raise UserError(f"--{flag}={value} is unknown: expected one of {', '.join(known)}")
    if warning := slow_precision(precision):
        print(warning, file=sys.stderr)
    spec = BACKBONES[name]
    return LoadedBackbone(spec, spec.build(weights), weights, precision, views)


def slow_precision(precision: str) -> str | None:
    """A line for the user when the hardware computes `precision` no faster than float32, else None."""
    if precision == "float32" or tf.config.list_physical_devices("GPU"):
        return None
    try:
        features = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return None  # not Linux: nothing is known
    if "avx512_bf16" in features or "amx_bf16" in features:
        return None
    return (f"--backbone_precision={precision}: this CPU has neither AVX512-BF16 nor AMX, so it computes {precision} "
            "more slowly than float32; the features are those that a CPU with them would give, to rounding")


def _views(images: tf.Tensor, views: str) -> list[tf.Tensor]:
    """The views of a batch, each of the batch's shape."""
    if views == "one":
        return [images]
    if views == "flip":
        return [images, images[:, :, ::-1]]
    size = images.shape[1]
    margin = round(size * (1 - _CROP) / 2)
    crop = tf.image.resize(images[:, margin:size - margin, margin:size - margin], [size, size])
    return [images, images[:, :, ::-1], crop, crop[:, :, ::-1]]
