import math

import tensorflow as tf

from tagger.training.running_sums import RunningSums


def add(sums, loss, step):
    sums.add(tf.constant(loss), tf.constant(4.0), tf.constant(3.0), tf.constant(2.0), tf.constant(step, tf.int64))


def test_sums_and_the_first_step_that_is_not_finite():
    sums = RunningSums("x")
    add(sums, 2.0, 7)
    add(sums, 6.0, 8)
    read = sums.read()
    assert (read.loss, read.units, read.tokens, read.captions, read.bad_step, read.mean) == (8.0, 8, 6, 4, -1, 1.0)
    add(sums, math.inf, 9)
    add(sums, math.nan, 10)
    add(sums, 1.0, 11)
    assert sums.read().bad_step == 9
    assert sums.read().bad_gradient_step == -1
    sums.reset()
    assert sums.read().mean == 0.0 and sums.read().bad_step == -1


def test_the_first_step_whose_gradients_are_not_finite():
    sums, one = RunningSums("x"), tf.constant(1.0)
    for step, finite in ((4, True), (5, False), (6, True), (7, False)):
        sums.add(one, one, one, one, tf.constant(step, tf.int64), tf.constant(finite))
    assert (sums.read().bad_step, sums.read().bad_gradient_step) == (-1, 5)
    assert "bad_gradient_step" not in sums.variables_by_name  # a checkpoint's names stay
    sums.reset()
    assert sums.read().bad_gradient_step == -1
