"""Every weight of an exported model in one flat, tracked list, stored as float32 or float16.

Keras does not track all of a backbone's variables in a way that the C++ loader finds again ("Could not find
variable"). So an export holds none of Keras's variables: their values are copied here, and while the exported
functions are traced, Keras reads these instead.

    store = WeightsStore(variables, "float16")
    with store.in_place():
        signature = f.get_concrete_function()
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

_SMALL = 1024
"""Weights with fewer numbers stay float32: biases and normalisation need their precision, and save nothing."""


class WeightsStore(tf.Module):
    """Copies of Keras variables' values.

    float16 is a format of storage only: when the model is loaded, by Python, `saved_model_cli` or TensorFlow
    Serving, weights are widened to float32 once, and all arithmetic is the float32 model's.

    Args:
      variables: what to copy.
      precision: "float32" or "float16" (weights beyond float16's range stay float32).
    """

    def __init__(self, variables: Sequence[keras.Variable], precision: str):
        super().__init__(name="weights")
        self._originals = lambda: variables  # a list of variables would be tracked, and saved a second time
        self.stored = [_store(np.asarray(variable.value), precision) for variable in variables]
        self.halves = [item.half for item in self.stored if isinstance(item, _Half)]  # resources track no variables

    def in_place(self) -> keras.StatelessScope:
        """A context in which the Keras variables have this store's values. Enter it inside the traced function."""
        values = [item.read() if isinstance(item, _Half) else tf.convert_to_tensor(item) for item in self.stored]
        return keras.StatelessScope(state_mapping=list(zip(self._originals(), values, strict=True)))


    def write_back(self) -> None:
        """Gives the originals the values stored, rounded where that is float16."""
        for original, item in zip(self._originals(), self.stored, strict=True):
            original.assign(item.read() if isinstance(item, _Half) else item)


def _store(value: np.ndarray, precision: str) -> "tf.Variable | _Half":
    fits = np.size(value) >= _SMALL and np.max(np.abs(value)) < np.finfo(np.float16).max
    if precision == "float16" and value.dtype == np.float32 and fits:
        return _Half(value)
    return tf.Variable(value, trainable=False)


class _Half(tf.saved_model.experimental.TrackableResource):
    """A float32 variable that a SavedModel stores as float16.

    Loaders restore tracked variables first (`half`), then run every resource's initializer, which widens it.
    """

    def __init__(self, value: np.ndarray):
        super().__init__()
        self.half = tf.Variable(value.astype(np.float16), trainable=False)
        self._shape = value.shape
        _ = self.resource_handle  # made now, outside of any traced function
        self._initialize()

    def _create_resource(self) -> tf.Tensor:
        return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=self._shape, shared_name=f"widened_{id(self)}")

    def _initialize(self) -> None:
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=tf.cast(self.half, tf.float32))

    def _destroy_resource(self) -> None:
        tf.raw_ops.DestroyResourceOp(resource=self.resource_handle, ignore_lookup_error=True)

    def read(self) -> tf.Tensor:
        """The widened value, float32."""
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.float32)
        return tf.ensure_shape(value, self._shape)
