"""Everything that a training step changes, and its names in a checkpoint.

    state = TrainState(model=model, optimizer=optimizer, ema=0.999)     # inside the strategy's scope
    state.apply(gradients, units, update)                               # in replica context, by the train step
    checkpoints.save(step, state.variables_by_name(), …)
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import keras
import tensorflow as tf

from tagger.training.mixed_precision import LossScale
from tagger.training.optimizer import FusedAdam, handle
from tagger.training.running_sums import RunningSums


class Network(Protocol):
    """What is trained: anything with weights."""

    @property
    def weights(self) -> list[keras.Variable]:
        """Those that gradients are taken by, in a fixed order."""


class TrainState(tf.Module):
    """The network and what its training remembers from one step to the next.

    Attributes:
      model, optimizer: as given.
      loss_scale: of float16 gradients; None without.
      sums: what the steps of the epoch have added up.
      average: running averages of the weights, in their order; empty without `ema`.
    """

    def __init__(self, *, model: Network, optimizer: FusedAdam, ema: float = 0.0, accumulate: bool = False,
                 loss_scale: LossScale | None = None):
        """To be called in the strategy's scope, after `optimizer.build`.

        Args:
          ema: decay of the averages; 0 keeps none.
          accumulate: whether several steps' gradients make one update.
        """
        super().__init__(name="train_state")
        self.model, self.optimizer, self.loss_scale, self._ema = model, optimizer, loss_scale, ema
        values = [weight.value for weight in model.weights]

        def variable(value, dtype, name):
            return tf.Variable(value, dtype=dtype, trainable=False, name=name)

        self.sums = RunningSums("trained")
        self.average = [variable(value.numpy(), tf.float32, "average") for value in values] if ema else []
        self._held = [variable(tf.zeros(value.shape), tf.float32, "held") for value in values] if ema else []
        self._gradients = [variable(tf.zeros(v.shape), tf.float32, "gradient") for v in values] if accumulate else []
        self._gradient_units = [variable(0.0, tf.float32, "gradient_units")] if accumulate else []

    def variables_by_name(self) -> dict[str, tf.Variable | keras.Variable]:
        """Every variable that a restart needs, by its name in a checkpoint."""
        paths = [weight.path for weight in self.model.weights]
        named: dict[str, tf.Variable | keras.Variable] = {
            f"model/{path}": weight.value for path, weight in zip(paths, self.model.weights, strict=True)}
        named.update({f"optimizer/{variable.path}": variable.value for variable in self.optimizer.variables})
        named.update({f"epoch/{key}": variable for key, variable in self.sums.variables_by_name.items()})
        for kind, variables in (("average", self.average), ("gradient", self._gradients)):
            named.update({f"{kind}/{path}": variable for path, variable in zip(paths, variables, strict=False)})
        named.update(zip(["gradient/units"], self._gradient_units, strict=False))
        if self.loss_scale:
            named.update({"loss_scale/scale": self.loss_scale.scale, "loss_scale/calm": self.loss_scale.calm})
        return named

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Inside it the averaged weights, where there are any, are in the model's place."""
        for weight, average, held in zip(self.model.weights, self.average, self._held, strict=False):
            held.assign(weight.value)
            weight.value.assign(average)
        try:
            yield
        finally:
            for weight, held in zip(self.model.weights, self._held, strict=False):
                weight.value.assign(held)

    def is_finite(self) -> bool:
        """Whether every weight and all that the optimizer remembers are finite numbers; waits for the device."""
        values = (tf.convert_to_tensor(variable) for variable in self.variables_by_name().values())
        return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in values if value.dtype.is_floating)

    def apply(self, gradients: Sequence[tf.Tensor], units: tf.Tensor, update: tf.Tensor) -> None:
        """Updates the weights, or adds to the accumulated gradients until it is time; in replica context.

        Args:
          gradients: dense means over `units`, one per weight, the same on every replica.
          units: float32 scalar, units of the global batch.
          update: bool scalar, whether the weights change now; always, without `accumulate`.
        """
        if not self._gradient_units:
            self._update(gradients)
            return
        (total_units,) = self._gradient_units
        for held, gradient in zip(self._gradients, gradients, strict=True):
            tf.raw_ops.AssignAddVariableOp(resource=held.handle, value=gradient * units)
        tf.raw_ops.AssignAddVariableOp(resource=total_units.handle, value=units)

        def use():
            total = tf.maximum(tf.convert_to_tensor(total_units), 1.0)
            self._update([tf.convert_to_tensor(held) / total for held in self._gradients])
            for held in [*self._gradients, total_units]:
                tf.raw_ops.AssignVariableOp(resource=held.handle, value=tf.zeros(held.shape))
            return tf.constant(True)

        tf.cond(update, use, lambda: tf.constant(False))

    def _update(self, gradients: Sequence[tf.Tensor]) -> None:
        self.optimizer.update(gradients)
        if self._ema:
            updates = tf.cast(self.optimizer.iterations.value, tf.float32)
            # Early averages would remember the initial weights: the decay grows with the number of updates.
            decay = tf.minimum(self._ema, (1 + updates) / (10 + updates))
            for average, weight in zip(self.average, self.model.weights, strict=True):
                difference = tf.convert_to_tensor(weight.value) - tf.convert_to_tensor(average)
                tf.raw_ops.AssignAddVariableOp(resource=handle(average), value=difference * (1 - decay))
