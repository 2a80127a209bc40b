"""One training step and one validation step, the same for one device, several, and several hosts.

Loss and gradients are sums over the units of the objective (for cross-entropy the real tokens) of the global batch
divided by their number, whichever replica a unit falls on: the number is summed over replicas before the backward pass,
the gradients after it.

    train_step = TrainStep(state=state, objective=objective, …)     # inside the strategy's scope
    train_step.compile(train.element_spec, validation.element_spec)
    for batch in train:
        train_step.train(batch, step)
    state.sums.read().mean                                          # loss per unit so far
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tagger.losses.cross_entropy import Batch, Objective, rows, tokens
from tagger.modeling.stateless_dropout import Noise
from tagger.training.distribution import Devices
from tagger.training.running_sums import RunningSums
from tagger.training.train_state import TrainState

_CHECKED_ELEMENTS = 1 << 20


class TrainStep(tf.Module):
    """The compiled steps.

    Attributes:
      validated: what the validation steps add up.
    """

    def __init__(self, *, state: TrainState, objective: Objective, validation_loss: Callable, devices: Devices,
                 seed: int, batch_rows: int, first_row: Callable = lambda replica: 0, xla: bool = False):
        """To be called in the strategy's scope.

        Args:
          state: what `train` changes.
          objective: what is minimised.
          validation_loss: (model, batch) to float32 scalar, the loss summed over the real tokens.
          seed: with the step's number, decides dropout.
          batch_rows: rows of the global batch.
          first_row: number of a replica, int32 scalar, to the place of its first row in the global batch.
          xla: whether XLA compiles the steps.
        """
        super().__init__(name="train_step")
        self._state, self._objective, self._validation_loss = state, objective, validation_loss
        self._devices, self._seed, self._batch_rows, self._first_row = devices, seed, batch_rows, first_row
        self.validated = RunningSums("validated")
        if xla:
            self._replica_train, self._replica_validate = (  # type: ignore[method-assign]
                tf.function(function, autograph=False, jit_compile=True)
                for function in (self._replica_train, self._replica_validate))
        self._train: Callable = _not_compiled
        self._validate: Callable = _not_compiled

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

    def _replica_train(self, batch, step, update, stop):
        context, state = tf.distribute.get_replica_context(), self._state
        replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
        counts = tf.stack([self._objective.units(batch), tokens(batch), rows(batch), stop])
        units, words, captions, stop = tf.unstack(context.all_reduce("sum", counts))
        noise = Noise(tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)]), self._first_row(replica),
                      self._batch_rows)
        weights = [weight.value for weight in state.model.weights]
        with tf.GradientTape() as tape:
            loss = self._objective(state.model, batch, noise)
            scale = state.loss_scale.scale if state.loss_scale else 1.0
            scaled = loss * (scale / tf.maximum(units, 1.0))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(scaled, weights)]
        *gradients, loss = context.all_reduce("sum", [*gradients, tf.stop_gradient(loss)])
        if not state.loss_scale:
            state.sums.add(loss, units, words, captions, step, all_finite(gradients))
            state.apply(gradients, units, update)
            return stop
        gradients, finite = state.loss_scale.unscale(gradients)
        state.sums.add(loss, units, words, captions, step, finite | ~state.loss_scale.at_least())
        state.loss_scale.adjust(finite)

        # What overflowed is left out. No replica decides differently: they all see the reduced gradients.
        def use():
            state.apply(gradients, units, update)
            return tf.constant(True)

        tf.cond(finite, use, lambda: tf.constant(False))
        return stop

    def _replica_validate(self, batch):
        context = tf.distribute.get_replica_context()
        sums = tf.stack([self._validation_loss(self._state.model, batch), tokens(batch), rows(batch)])
        loss, words, captions = tf.unstack(context.all_reduce("sum", sums))
        self.validated.add(loss, words, words, captions, tf.constant(0, tf.int64))


def all_finite(gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """bool scalar: whether no gradient shows a number that is not finite.

    ReLU turns NaN into 0: one in a feature or a weight need not reach the loss, but what it is multiplied with on the
    way back becomes NaN. Only gradients up to a size are read. The large ones, of the embedding and the output layer,
    would cost percents of a step; they follow from the loss and from the gradients between them.
    """
    small = [gradient for gradient in gradients if gradient.shape.num_elements() <= _CHECKED_ELEMENTS]
    # A sum is NaN or infinite where a summand is, and takes one pass without anything written.
    return tf.math.is_finite(tf.add_n([tf.reduce_sum(gradient) for gradient in small]))


def _not_compiled(*_: object) -> None:
    raise RuntimeError("call TrainStep.compile before the first step")
