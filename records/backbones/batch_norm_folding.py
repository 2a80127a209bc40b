"""Rewrites a network: batch normalisation folded into convolutions, and the arithmetic's precision.

    copy = fold_batch_norm(model, "bfloat16")       # for inference, with weights of its own
    network = FoldedNetwork(model, "bfloat16")      # computes with the weights that `model` has at each call
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from flags.errors import UserError

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
# Few operations, and rounding in them would cost most: pixels scaled, maps averaged.
_ALWAYS_FLOAT32 = (keras.layers.GlobalAveragePooling2D, keras.layers.Rescaling, keras.layers.Normalization)


def fold_batch_norm(model: keras.Model, precision: str = "float32") -> keras.Model:
    """A copy of a functional model that computes the same function with fewer operations.

    A batch normalisation whose only input is a convolution without activation, and the only reader of it, becomes
    part of that convolution's kernel and bias: y = ((k*x + b) - mean) * s + beta with s = gamma / sqrt(variance +
    epsilon) is (k s)*x + (b - mean) s + beta. Others (DenseNet normalises what several layers read) stay.

    Args:
      precision: "bfloat16" lets all layers but poolings over the whole image and scalings of pixels compute in
        bfloat16; weights stay float32.

    Returns:
      the copy, with weights; its outputs differ by float32 rounding (about 1e-6, relative L2) in float32. A model that
      Keras cannot copy layer by layer (a subclass, one with Lambda layers) is returned as it is.

    Raises:
      UserError: a model that cannot be copied, in another precision than float32.
    """
    try:
        copy, layers = _rewrite(model, precision)
    except NotCopied as error:
        if precision == "float32":
            return model
        raise _refusal(precision, error) from error
    for pair in layers:
        if pair.norm is not None:
            pair.twin.set_weights(_folded_weights(pair.layer, pair.norm))
        elif pair.layer.weights:
            pair.twin.set_weights(pair.layer.get_weights())
            if hasattr(pair.twin, "finalize_state"):
                pair.twin.finalize_state()
    return copy


class FoldedNetwork(tf.Module):
    """The folded network while its weights are learnt: a call folds those that the model has then.

    Batch normalisations that are not trained cost nothing so, forward and backward. The gradient reaches the model's
    own weights, through the product with each normalisation's scale. Images may have another size than the model's
    where no layer depends on it.
    """

    def __init__(self, model: keras.Model, precision: str = "float32"):
        """Arguments and errors as of fold_batch_norm; the network's normalisations use their stored statistics."""
        super().__init__(name="folded_network")
        try:
            self._copy, self._layers = _rewrite(model, precision, any_size=True)
        except NotCopied:
            try:
                self._copy, self._layers = _rewrite(model, precision)
            except NotCopied as error:
                if precision != "float32":
                    raise _refusal(precision, error) from error
                self._copy, self._layers = model, []

    def __call__(self, pixels: tf.Tensor) -> tf.Tensor:
        """Preprocessed pixels [B, S, S, 3] to features [B, F]."""
        values = [value for pair in self._layers for value in pair.values()]
        with keras.StatelessScope(state_mapping=values):
            return self._copy(pixels, training=False)


class NotCopied(Exception):
    """A model that Keras cannot copy layer by layer."""


@dataclasses.dataclass(frozen=True)
class _Copied:
    """A layer, its twin in the copy, and the batch normalisation that the twin contains, if any."""

    layer: keras.layers.Layer
    twin: keras.layers.Layer
    norm: keras.layers.BatchNormalization | None

    def values(self) -> list[tuple[keras.Variable, tf.Tensor]]:
        """The twin's weights, each with its value by the layer's weights of now."""
        if self.norm is None:
            sources = [tf.convert_to_tensor(weight.value) for weight in self.layer.weights]
        else:
            sources = _folded_tensors(self.layer, self.norm)
        return list(zip(self.twin.weights, sources, strict=True))


def _refusal(precision: str, error: Exception) -> UserError:
    return UserError(f"--backbone_precision={precision}: the network has layers that Keras cannot copy "
                     f"({' '.join(str(error).split())[:200]}); give float32, or set their dtype where they are made")


def _rewrite(model: keras.Model, precision: str, any_size: bool = False) -> tuple[keras.Model, list[_Copied]]:
    """The copy, its weights not set yet, and what became of the layers.

    Args:
      any_size: whether the copy takes images of any size.

    Raises:
      NotCopied: a subclass, or a model with Lambda layers; one whose weights or shapes depend on the image's size.
    """
    folded = {id(before): layer for layer in model.layers if (before := _foldable_into(layer)) is not None}
    gone = {id(layer) for layer in folded.values()}
    copies: list[_Copied] = []
    identities: set[int] = set()

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if id(layer) in gone:
            identity = keras.layers.Identity(name=layer.name)
            identities.add(id(identity))
            return identity
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Layer):  # an operation, such as the + of two tensors
            return type(layer).from_config(config)
        if id(layer) in folded:
            config["use_bias"] = True
        if precision != "float32" and not isinstance(layer, _ALWAYS_FLOAT32):
            config["dtype"] = f"mixed_{precision}"
        copies.append(_Copied(layer, type(layer).from_config(config), folded.get(id(layer))))
        return copies[-1].twin

    def call(layer: keras.layers.Layer, *arguments: object, **named: object) -> object:
        return arguments[0] if id(layer) in identities else layer(*arguments, **named)

    calling: dict[str, object] = {} if isinstance(model, keras.Sequential) else {"call_function": call}
    try:
        if any_size:
            calling["input_tensors"] = keras.Input((None, None, model.input_shape[-1]))
        return keras.models.clone_model(model, clone_function=clone, recursive=True, **calling), copies
    # Keras has no error for it. In this order: no input_shape; arguments that a configuration cannot hold; layers that
    # lack one; a subclass, a Lambda, weights whose shape needs the image's.
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise NotCopied(str(error)) from error


def _foldable_into(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """The convolution that a batch normalisation can be folded into, if any."""
    if not isinstance(layer, keras.layers.BatchNormalization) or len(layer._inbound_nodes) != 1:
        return None
    before = layer.input._keras_history.operation
    alone = (isinstance(before, _CONVOLUTIONS) and len(before._inbound_nodes) == 1
             and len(before._outbound_nodes) == 1)
    return before if alone and before.activation is keras.activations.linear else None


def _folded_weights(convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias, computed in float64."""
    kernel, *bias = (np.asarray(weight, np.float64) for weight in convolution.get_weights())
    mean, variance = (np.asarray(value, np.float64) for value in (norm.moving_mean, norm.moving_variance))
    scale = (np.asarray(norm.gamma, np.float64) if norm.scale else 1.0) / np.sqrt(variance + norm.epsilon)
    shift = np.asarray(norm.beta, np.float64) if norm.center else 0.0
    # A depthwise kernel is [h, w, channels, multiplier]: its output channels are the last two axes together.
    per_output = scale.reshape(kernel.shape[2:]) if isinstance(convolution, keras.layers.DepthwiseConv2D) else scale
    return [kernel * per_output, ((bias[0] if bias else 0.0) - mean) * scale + shift]


def _folded_tensors(convolution: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> list[tf.Tensor]:
    """Kernel and bias in float32, differentiable by the convolution's."""
    kernel, *bias = (tf.convert_to_tensor(weight.value) for weight in convolution.weights)
    mean, variance = (tf.convert_to_tensor(value.value) for value in (norm.moving_mean, norm.moving_variance))
    scale = (tf.convert_to_tensor(norm.gamma.value) if norm.scale else 1.0) * tf.math.rsqrt(variance + norm.epsilon)
    shift = tf.convert_to_tensor(norm.beta.value) if norm.center else 0.0
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    per_output = tf.reshape(scale, kernel.shape[2:]) if depthwise else scale
    return [kernel * per_output, ((bias[0] if bias else 0.0) - mean) * scale + shift]
