"""Which arithmetic to train in, and the loss scaling that float16 needs.

Micikevicius et al., "Mixed precision training", 2018.
"""

from collections.abc import Sequence

import tensorflow as tf

from flags.errors import UserError
from records.util.cpu import slow_in_bfloat16

_LEAST = 1.0  # loss scale
_COMPUTE_DTYPE = {"float32": "float32", "mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def compute_dtype(precision: str, on_gpu: bool) -> str:
    """What matrices are multiplied in, see MergeModel: float32, float16 or bfloat16.

    Args:
      precision: --precision. "auto" is bfloat16 from compute capability 8.0 (Ampere), float16 from 7.0 (Volta,
        Turing; their tensor cores know no bfloat16), float32 on older GPUs and on CPUs.

    Raises:
      UserError: float16 on a CPU, where its kernels are slower than float32's by far.
    """
    if precision == "auto":
        return dtype_for(_capability()) if on_gpu else "float32"
    if precision == "mixed_float16" and not on_gpu:
        raise UserError("--precision=mixed_float16 needs a GPU, found none in use; use float32, or mixed_bfloat16 on a "
                        "CPU with AVX512-BF16 or AMX")
    return _COMPUTE_DTYPE[precision]


def slow_on_cpu(dtype: str, on_gpu: bool) -> str | None:
    """A line for the user where this dtype of products is slower than float32, else None."""
    return None if dtype != "bfloat16" or on_gpu else slow_in_bfloat16("--precision=mixed_bfloat16")


def dtype_for(capability: tuple[int, int]) -> str:
    """What "auto" picks for a GPU of this compute capability."""
    return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"


def _capability() -> tuple[int, int]:
    """The lowest compute capability among the visible GPUs."""
    found = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
             for gpu in tf.config.get_visible_devices("GPU")]
    return min(found, default=(0, 0))


class LossScale(tf.Module):
    """The factor that keeps float16 gradients from vanishing: doubled after a calm spell, halved on overflow.

    Attributes:
      scale: float32 scalar variable. calm: int32 scalar variable, updates since the last change.
    """

    def __init__(self, initial: float = 2.0 ** 15, patience: int = 2000):
        super().__init__()
        self.scale = tf.Variable(initial, dtype=tf.float32, trainable=False, name="loss_scale")
        self.calm = tf.Variable(0, dtype=tf.int32, trainable=False, name="loss_scale_calm")
        self._patience = patience

    def unscale(self, gradients: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Gradients of the loss itself, and whether all of them are finite."""
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])
        return [gradient / self.scale for gradient in gradients], finite

    def at_least(self) -> tf.Tensor:
        """bool scalar: whether the scale is as low as it gets, so that overflow is not its doing."""
        return tf.convert_to_tensor(self.scale) <= _LEAST

    def adjust(self, finite: tf.Tensor) -> None:
        """To be called after each update (finite) or skipped update (not); in replica context."""
        scale, calm = tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.calm) + 1
        double = finite & (calm >= self._patience)
        grown = tf.where(double, tf.minimum(scale * 2, 2.0 ** 30), scale)
        scale = tf.where(finite, grown, tf.maximum(scale / 2, _LEAST))
        calm = tf.where(finite & ~double, calm, 0)
        tf.raw_ops.AssignVariableOp(resource=self.scale.handle, value=scale)
        tf.raw_ops.AssignVariableOp(resource=self.calm.handle, value=calm)
