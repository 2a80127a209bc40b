"""Rewrites a network for inference: batch normalisation folded into convolutions, and the arithmetic's precision."""

import keras
import numpy as np

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
    folded = {id(before): layer for layer in model.layers if (before := _foldable_into(layer)) is not None}
    gone = {id(layer) for layer in folded.values()}
    copies: list[tuple[keras.layers.Layer, keras.layers.Layer]] = []
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
        copies.append((layer, type(layer).from_config(config)))
        return copies[-1][1]

    def call(layer: keras.layers.Layer, *arguments: object, **named: object) -> object:
        return arguments[0] if id(layer) in identities else layer(*arguments, **named)

    calling = {} if isinstance(model, keras.Sequential) else {"call_function": call}
    try:
        copy = keras.models.clone_model(model, clone_function=clone, recursive=True, **calling)
    except (NotImplementedError, TypeError, ValueError) as error:
        if precision == "float32":
            return model
        raise UserError(f"--backbone_precision={precision}: the network has layers that Keras cannot copy "
                        f"({' '.join(str(error).split())[:200]}); give float32, or set their dtype where they are "
                        "made") from error
    for layer, twin in copies:
        if id(layer) in folded:
            twin.set_weights(_folded_weights(layer, folded[id(layer)]))
        elif layer.weights:
            twin.set_weights(layer.get_weights())
            if hasattr(twin, "finalize_state"):
                twin.finalize_state()
    return copy


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
