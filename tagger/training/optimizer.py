"""Adam in one pass over memory, with decoupled weight decay, clipping and a learning-rate schedule.

Keras's Adam makes several passes over weights and moments; the fused kernel makes one. It is a Keras optimizer all the
same, so that callbacks find `learning_rate` and `iterations` where they expect them. Every replica updates its own copy
of the weights from the same, already reduced gradients: no cross-replica call is needed.

Kingma & Ba, "Adam", 2015; Loshchilov & Hutter, "Decoupled weight decay regularization" (AdamW), 2019.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tagger.training import lr_schedule as schedule_lib


class FusedAdam(keras.optimizers.Adam):
    """keras.optimizers.Adam with its defaults and its own `update`.

    Attributes:
      learning_rate: what plateaus change; an update uses it times the schedule's factor.
      shares: of each variable, what its learning rate is multiplied by; None for 1.
    """

    shares: Sequence[float] | None = None

    def __init__(self, learning_rate: float, schedule: str = "constant", warmup_steps: int = 0, total_steps: int = 1,
                 clip_norm: float = 0.0, decay: float = 0.0):
        """total_steps: updates of the whole run, for the cosine. clip_norm, decay: 0 is off."""
        super().__init__(learning_rate=learning_rate, name="adam")  # checkpoints know variables by this name
        self._schedule, self._warmup_steps, self._total_steps = schedule, warmup_steps, total_steps
        self._clip_norm, self._decay = clip_norm, decay

    def rate(self, update: tf.Tensor) -> tf.Tensor:
        """float32 scalar: the learning rate of an update, of which `update` have been made before."""
        return tf.convert_to_tensor(self.learning_rate.value) * schedule_lib.scale(
            self._schedule, update, self._warmup_steps, self._total_steps)

    def update(self, gradients: Sequence[tf.Tensor]) -> None:
        """Makes one update of the variables that `build` was given; in replica context, once per replica.

        Args:
          gradients: dense, one per variable, the same on every replica.
        """
        rate = self.rate(self.iterations.value)
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, self._clip_norm)
        done = tf.cast(self.iterations.value, tf.float32) + 1
        beta_1, beta_2 = tf.constant(self.beta_1), tf.constant(self.beta_2)
        powers = tf.pow(beta_1, done), tf.pow(beta_2, done)
        shares = self.shares or [1.0] * len(gradients)
        for variable, momentum, velocity, gradient, share in zip(
                self._trainable_variables, self._momentums, self._velocities, gradients, shares, strict=True):
            own_rate = rate * share if share != 1 else rate
            if self._decay and len(variable.shape) > 1:
                value = tf.convert_to_tensor(variable.value)
                tf.raw_ops.AssignSubVariableOp(resource=handle(variable), value=value * (own_rate * self._decay))
            tf.raw_ops.ResourceApplyAdam(
                var=handle(variable), m=handle(momentum), v=handle(velocity), beta1_power=powers[0],
                beta2_power=powers[1], lr=own_rate, beta1=beta_1, beta2=beta_2, epsilon=tf.constant(self.epsilon),
                grad=gradient, use_locking=False, use_nesterov=False)
        tf.raw_ops.AssignAddVariableOp(
            resource=handle(self.iterations), value=tf.ones([], self.iterations.value.dtype))


def handle(variable: keras.Variable | tf.Variable) -> tf.Tensor:
    """The resource of a variable's copy on the replica that asks."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
