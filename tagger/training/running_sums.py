"""What the steps of an epoch add up, kept on the devices."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Sums:
    """What an epoch has added up so far.

    Attributes:
      loss: sum of the loss over the objective's units. units: their number.
      tokens: real tokens. captions: rows with a token.
      bad_step: the first step whose loss was not finite; -1 while there is none.
      bad_gradient_step: the first step whose gradients were not, likewise.
    """

    loss: float
    units: int
    tokens: int
    captions: int
    bad_step: int
    bad_gradient_step: int = -1

    @property
    def mean(self) -> float:
        """Loss per unit."""
        return self.loss / max(self.units, 1)


class RunningSums(tf.Module):
    """`Sums` kept on the devices, so that a step need not be waited for."""

    def __init__(self, name: str):
        super().__init__(name)
        zero = tf.constant(0, tf.int64)
        self._start = {"loss": tf.constant(0, tf.float64), "units": zero, "tokens": zero, "captions": zero,
                       "bad_step": tf.constant(-1, tf.int64)}
        self.variables_by_name = {key: tf.Variable(value, trainable=False, name=f"{name}_{key}")
                                  for key, value in self._start.items()}
        # No part of a checkpoint: there is none from after such a step.
        self._bad_gradient_step = tf.Variable(-1, dtype=tf.int64, trainable=False, name=f"{name}_bad_gradient_step")

    def reset(self) -> None:
        """Starts again."""
        for key, value in self._start.items():
            self.variables_by_name[key].assign(value)
        self._bad_gradient_step.assign(-1)

    def read(self) -> Sums:
        """The sums since `reset`; waits for the device."""
        value = {key: variable.numpy() for key, variable in self.variables_by_name.items()}
        return Sums(float(value.pop("loss")), **{key: int(number) for key, number in value.items()},
                    bad_gradient_step=int(self._bad_gradient_step.numpy()))

    def add(self, loss: tf.Tensor, units: tf.Tensor, words: tf.Tensor, captions: tf.Tensor, step: tf.Tensor,
            finite_gradients: tf.Tensor | bool = True) -> None:
        """Adds a step's already reduced values; in replica context."""
        variable = self.variables_by_name
        for key, value in (("loss", loss), ("units", units), ("tokens", words), ("captions", captions)):
            tf.raw_ops.AssignAddVariableOp(
                resource=variable[key].handle, value=tf.cast(value, variable[key].dtype))
        for first_bad, finite in ((variable["bad_step"], tf.math.is_finite(loss)),
                                  (self._bad_gradient_step, finite_gradients)):
            bad = tf.convert_to_tensor(first_bad)
            tf.raw_ops.AssignVariableOp(
                resource=first_bad.handle, value=tf.where((bad < 0) & ~tf.convert_to_tensor(finite), step, bad))
