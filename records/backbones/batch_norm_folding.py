"""Rewrites a network for inference: batch normalisation folded into convolutions, and the arithmetic's precision."""

import keras
import numpy as np

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def fold_batch_norm(model: keras.Model, precision: str = "float32") -> keras.Model:
    """A copy of a functional model that computes the same function with fewer operations.

    A batch normalisation whose only input is a convolution without activation, and the only reader of it, becomes
    part of that convolution's kernel and bias: y = ((k*x + b) - mean) * s + beta with s = gamma / sqrt(variance +
    epsilon) is (k s)*x + (b - mean) s + beta. Others (DenseNet normalises what several layers read) stay.

    Args:
      precision: "bfloat16" lets all layers but poolings over the whole image compute in bfloat16; weights stay
        float32.

    Returns:
      the copy, with weights; its outputs differ by float32 rounding (about 1e-6, relative L2) in float32.
    """
    folded = {before.name: layer for layer in model.layers if (before := _foldable_into(layer)) is not None}
    gone = {layer.name for layer in folded.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in gone:
            return keras.layers.Identity(name=layer.name)
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        if precision != "float32" and not isinstance(layer, keras.layers.GlobalAveragePooling2D):
            config["dtype"] = f"mixed_{precision}"
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, *arguments: object, **named: object) -> object:
        return arguments[0] if layer.name in gone else layer(*arguments, **named)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:
        if layer.name in folded:
            copy.get_layer(layer.name).set_weights(_folded_weights(layer, folded[layer.name]))
        elif layer.weights and layer.name not in gone:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _foldable_into(layer: keras.layers.Layer) -> keras.layers.Layer | None:
    """The convolution that a batch normalisation can be folded into, if any."""
    if not isinstance(layer, keras.layers.BatchNormalization):
        return None
    before = layer.input._keras_history.operation
    alone = isinstance(before, _CONVOLUTIONS) and len(before._outbound_nodes) == 1
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
