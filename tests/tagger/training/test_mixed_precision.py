import pytest
import tensorflow as tf

from flags.errors import UserError
from tagger.training.mixed_precision import LossScale, compute_dtype, dtype_for, slow_on_cpu


def test_auto_goes_by_capability():
    assert [dtype_for(c) for c in ((9, 0), (8, 0), (7, 5), (7, 0), (6, 1))] == [
        "bfloat16", "bfloat16", "float16", "float16", "float32"]
    assert compute_dtype("auto", on_gpu=False) == "float32"
    assert compute_dtype("mixed_bfloat16", on_gpu=False) == "bfloat16"


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(UserError, match="--precision=mixed_float16 needs a GPU"):
        compute_dtype("mixed_float16", on_gpu=False)


def test_a_cpu_that_is_slow_in_bfloat16_is_named():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        fast = any(flag in file.read() for flag in ("avx512_bf16", "amx_bf16"))
    assert (slow_on_cpu("bfloat16", on_gpu=False) is None) == fast
    assert slow_on_cpu("bfloat16", on_gpu=True) is None and slow_on_cpu("float32", on_gpu=False) is None


def test_loss_scale_halves_on_overflow_and_doubles_after_a_calm_spell():
    loss_scale = LossScale(initial=8.0, patience=3)
    adjust = tf.function(lambda finite: loss_scale.adjust(finite))
    seen = []
    for finite in (True, True, False, True, True, True, True):
        adjust(tf.constant(finite))
        seen.append(float(loss_scale.scale))
    assert seen == [8, 8, 4, 4, 4, 8, 8]


def test_unscale():
    loss_scale = LossScale(initial=4.0)
    gradients, finite = loss_scale.unscale([tf.constant([8.0, 4.0]), tf.constant(2.0)])
    assert bool(finite)
    assert [g.numpy().tolist() for g in gradients] == [[2, 1], 0.5]
    assert not bool(loss_scale.unscale([tf.constant([8.0, float("inf")])])[1])
