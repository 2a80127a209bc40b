"""One training step and one validation step, the same for one device, several, and several hosts.

Loss and gradients are sums over the units of the objective (for cross-entropy the real tokens) of the global batch
divided by their number, whichever replica a unit falls on: the number is summed over replicas before the backward pass,
the gradients after it.

    stepper = Stepper(devices, model, optimizer, ...)     # inside devices.strategy.scope()
    stepper.compile(train.element_spec, validation.element_spec)
    for batch in train:
        stepper.train(batch, step)
    stepper.trained.read().mean                           # loss per unit so far
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tagger.losses.cross_entropy import Batch, Objective, cross_entropy_value, rows, tokens
from tagger.modeling.merge_model import MergeModel
from tagger.training.distribution import Devices
from tagger.training.mixed_precision import LossScale
from tagger.training.optimizer import FusedAdam, handle


@dataclasses.dataclass(frozen=True)
class Sums:
    """What an epoch has added up so far.

    Attributes:
      loss: sum of the loss over the objective's units. units: their number.
      tokens: real tokens. captions: rows with a token.
      bad_step: the first step whose loss was not finite; -1 while there is none.
    """

    loss: float
    units: int
    tokens: int
    captions: int
    bad_step: int

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

    def reset(self) -> None:
        """Starts again."""
        for key, value in self._start.items():
            self.variables_by_name[key].assign(value)

    def read(self) -> Sums:
        """The sums since `reset`; waits for the device."""
        value = {key: variable.numpy() for key, variable in self.variables_by_name.items()}
        return Sums(float(value.pop("loss")), **{key: int(number) for key, number in value.items()})

    def add(self, loss: tf.Tensor, units: tf.Tensor, words: tf.Tensor, captions: tf.Tensor, step: tf.Tensor) -> None:
        """Adds a step's already reduced values; in replica context."""
        variable = self.variables_by_name
        for key, value in (("loss", loss), ("units", units), ("tokens", words), ("captions", captions)):
            tf.raw_ops.AssignAddVariableOp(
                resource=variable[key].handle, value=tf.cast(value, variable[key].dtype))
        bad = tf.convert_to_tensor(variable["bad_step"])
        first_bad = (bad < 0) & ~tf.math.is_finite(loss)
        tf.raw_ops.AssignVariableOp(resource=variable["bad_step"].handle, value=tf.where(first_bad, step, bad))


class Stepper(tf.Module):
    """Holds what a step changes besides the model and the optimizer, and the compiled steps.

    Attributes:
      trained, validated: what the steps of this epoch add up.
      average: running averages of the weights, in their order; empty without --ema.
    """

    def __init__(self, devices: Devices, model: MergeModel, optimizer: FusedAdam, objective: Objective, seed: int,
                 accumulate: bool = False, ema: float = 0.0, loss_scale: LossScale | None = None, xla: bool = False):
        """To be called in the strategy's scope, after `optimizer.build`."""
        super().__init__(name="stepper")
        self._devices, self._model, self._optimizer, self._objective = devices, model, optimizer, objective
        self._seed, self._ema, self._loss_scale = seed, ema, loss_scale
        values = [weight.value for weight in model.weights]

        def variable(value, dtype, name):
            return tf.Variable(value, dtype=dtype, trainable=False, name=name)

        self.trained, self.validated = RunningSums("trained"), RunningSums("validated")
        self.average = [variable(value.numpy(), tf.float32, "average") for value in values] if ema else []
        self._held = [variable(tf.zeros(value.shape), tf.float32, "held") for value in values] if ema else []
        self._gradients = [variable(tf.zeros(v.shape), tf.float32, "gradient") for v in values] if accumulate else []
        self._gradient_units = variable(0.0, tf.float32, "gradient_units") if accumulate else None
        if xla:
            self._replica_train, self._replica_validate = (  # type: ignore[method-assign]
                tf.function(function, autograph=False, jit_compile=True)
                for function in (self._replica_train, self._replica_validate))
        self._train: Callable = _not_compiled
        self._validate: Callable = _not_compiled

    def state(self) -> dict[str, tf.Variable]:
        """Every variable that a restart needs, by name."""
        state = {f"epoch/{key}": variable for key, variable in self.trained.variables_by_name.items()}
        layers = [f"{weight.path}" for weight in self._model.weights]
        for kind, variables in (("average", self.average), ("gradient", self._gradients)):
            state.update({f"{kind}/{layer}": variable for layer, variable in zip(layers, variables, strict=False)})
        if self._gradient_units is not None:
            state["gradient/units"] = self._gradient_units
        if self._loss_scale:
            state.update({"loss_scale/scale": self._loss_scale.scale, "loss_scale/calm": self._loss_scale.calm})
        return state

    def compile(self, train_spec: object, validation_spec: object) -> None:
        """Fixes the types of the batches, as in `element_spec` of their (distributed) datasets."""
        strategy = self._devices.strategy

        # autograph would look for Python ifs, of which there are none, for a third of the time to the first step.
        @tf.function(autograph=False, input_signature=[
            train_spec, tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.bool), tf.TensorSpec([], tf.float32)])
        def train(batch, step, update, stop):
            asked = strategy.run(self._replica_train, args=(batch, step, update, stop))
            return strategy.experimental_local_results(asked)[0]

        @tf.function(autograph=False, input_signature=[validation_spec])
        def validate(batch):
            strategy.run(self._replica_validate, args=(batch,))

        self._train, self._validate = train, validate

    def train(self, batch: Batch, step: int, update: bool = True, stop: bool = False) -> tf.Tensor:
        """Makes one step.

        Args:
          batch: of one replica, or PerReplica.
          step: number of the step in the whole run; with the seed it decides dropout.
          update: whether the weights change now, or gradients are only accumulated.
          stop: whether this host wants to stop.

        Returns:
          float32 scalar: how many replicas want to stop.
        """
        return self._train(batch, tf.constant(step, tf.int64), tf.constant(update), tf.constant(float(stop)))

    def validate(self, batch: Batch) -> None:
        """Adds one batch's loss, without dropout or smoothing, to the sums."""
        self._validate(batch)

    def use_average(self) -> None:
        """Puts the averaged weights, where there are any, in the model's place until `use_current`."""
        for weight, average, held in zip(self._model.weights, self.average, self._held, strict=False):
            held.assign(weight.value)
            weight.value.assign(average)

    def use_current(self) -> None:
        """Undoes `use_average`."""
        for weight, held in zip(self._model.weights, self._held, strict=False):
            weight.value.assign(held)

    def _replica_train(self, batch, step, update, stop):
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        counts = tf.stack([self._objective.units(batch), tokens(batch), rows(batch), stop])
        units, words, captions, stop = tf.unstack(context.all_reduce("sum", counts))
        dropout_seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
        weights = [weight.value for weight in self._model.weights]
        with tf.GradientTape() as tape:
            loss = self._objective(self._model, batch, dropout_seed, replica * tf.shape(batch["targets"])[0])
            scale = self._loss_scale.scale if self._loss_scale else 1.0
            scaled = loss * (scale / tf.maximum(units, 1.0))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scaled, weights)]
        *gradients, loss = context.all_reduce("sum", [*gradients, tf.stop_gradient(loss)])
        self.trained.add(loss, units, words, captions, step)
        finite = None
        if self._loss_scale:
            gradients, finite = self._loss_scale.unscale(gradients)
            self._loss_scale.adjust(finite)
        self._apply(gradients, units, update, finite)
        return stop

    def _replica_validate(self, batch):
        context = tf.distribute.get_replica_context()
        sums = tf.stack([cross_entropy_value(self._model, batch), tokens(batch), rows(batch)])
        loss, words, captions = tf.unstack(context.all_reduce("sum", sums))
        self.validated.add(loss, words, words, captions, tf.constant(0, tf.int64))

    def _apply(self, gradients, units, update, finite):
        """Updates the weights, or adds to the accumulated gradients until it is time."""
        if finite is None:
            self._accumulate(gradients, units, update)
            return

        # What overflowed is left out. No replica decides differently: they all see the reduced gradients.
        def use():
            self._accumulate(gradients, units, update)
            return tf.constant(True)

        tf.cond(finite, use, lambda: tf.constant(False))

    def _accumulate(self, gradients, units, update):
        if not self._gradients:
            self._update(gradients)
            return
        for held, gradient in zip(self._gradients, gradients, strict=True):
            tf.raw_ops.AssignAddVariableOp(resource=held.handle, value=gradient * units)
        tf.raw_ops.AssignAddVariableOp(resource=self._gradient_units.handle, value=units)

        def use():
            total = tf.maximum(tf.convert_to_tensor(self._gradient_units), 1.0)
            self._update([tf.convert_to_tensor(held) / total for held in self._gradients])
            for held in [*self._gradients, self._gradient_units]:
                tf.raw_ops.AssignVariableOp(resource=held.handle, value=tf.zeros(held.shape))
            return tf.constant(True)

        tf.cond(update, use, lambda: tf.constant(False))

    def _update(self, gradients):
        self._optimizer.update(gradients)
        if self._ema:
            done = tf.cast(self._optimizer.iterations.value, tf.float32)
            # Early averages would remember the initial weights: the decay grows with the number of updates.
            decay = tf.minimum(self._ema, (1 + done) / (10 + done))
            for average, weight in zip(self.average, self._model.weights, strict=True):
                difference = tf.convert_to_tensor(weight.value) - tf.convert_to_tensor(average)
                tf.raw_ops.AssignAddVariableOp(resource=handle(average), value=difference * (1 - decay))


def _not_compiled(*_: object) -> None:
    raise RuntimeError("call Stepper.compile before the first step")
