"""The same weights whatever the devices: loss and gradients are means over the real tokens of the global batch."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tagger.training.distribution import Devices
from tagger.training.mixed_precision import LossScale
from tagger.training.optimizer import FusedAdam
from tagger.training.train_state import TrainState
from tagger.training.train_step import TrainStep, all_finite
from tests.tagger.training.run import arrays, finish, start, write_records

BATCH, EPOCHS = 62, 3  # 10 steps an epoch, 43 captions in the last; 62 rows do not divide by 3
DROPOUT = {"dropout": 0.5, "feature_dropout": 0.2, "embedding_dropout": 0.2, "tag_weight": 0.5}
EVERYTHING = {**DROPOUT, "clip_norm": 0.5, "weight_decay": 0.1, "label_smoothing": 0.1, "warmup_steps": 3,
              "schedule": "cosine", "ema": 0.9, "accumulate_steps": 3}
STREAMED = {**EVERYTHING, "ram_budget_mb": 0, "epochs": 2}  # each host pads its captions to its own longest
REWARDS = {"dropout": 0.0, "self_critical_epochs": 2, "supervised_weight": 0.5, "tag_weight": 0.5}
MIXED = {**DROPOUT, "precision": "mixed_bfloat16", "epochs": 2}
NO_DROPOUT = {"dropout": 0.0, "feature_dropout": 0.0, "embedding_dropout": 0.0}
RUNS = {"everything": EVERYTHING, "everything again": EVERYTHING, "no dropout": {**EVERYTHING, **NO_DROPOUT},
        "streamed": STREAMED, "rewards": REWARDS, "mixed": MIXED}
DEVICES = {"one": ("cpu", 1), "two": ("cpu:2", 1), "three": ("cpu:3", 1), "workers": ("cpu", 2)}
# Each costs a graph per replica: everything at once, as a difference in one part of it is a difference in the weights.
TRAINED = {"one": ["everything", "no dropout", "streamed", "rewards", "mixed"],
           "two": ["everything", "everything again"],
           "three": ["streamed", "mixed"],
           "workers": ["everything", "streamed", "rewards"]}
UPDATES = {"everything": 12, "streamed": 8, "rewards": 6}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What every set of devices made of its trainings: {(devices, training): arrays}."""
    folder = tmp_path_factory.mktemp("strategies")
    records = write_records(folder / "records")
    found = {}
    for name, (spec, workers) in DEVICES.items():
        flags = [{"records_dir": str(records), "run_dir": str(folder / name / run), "batch_size": BATCH,
                  "epochs": EPOCHS, "plateau_patience": 0, **RUNS[run]} for run in TRAINED[name]]
        for status, output in finish(start(["tests/tagger/training/strategies.py", spec, json.dumps(flags)], workers)):
            assert status == 0, output
        found.update({(name, run): arrays(folder / name / run) for run in TRAINED[name]})
    return found


@pytest.mark.parametrize(("devices", "training"), [
    (devices, training) for devices in ("two", "three", "workers") for training in TRAINED[devices]
    if training in UPDATES])
def test_same_weights_as_on_one_device(trained, devices, training):
    one, several = trained["one", training], trained[devices, training]
    compared = [name for name in one if name.startswith(("model/", "average/"))]
    assert len(compared) == (10 if training == "rewards" else 20)
    assert int(one["optimizer/adam/iteration"]) == UPDATES[training]
    for name in compared:
        assert np.abs(one[name] - several[name]).max() <= 1e-5, name


def test_weights_of_mixed_precision_are_as_near_as_its_rounding_allows(trained):
    one, several = trained["one", "mixed"], trained["three", "mixed"]
    for name in [name for name in one if name.startswith("model/")]:
        # Sums over a replica's rows are rounded to 8 bits; ten times as much is what the training moved the weights by.
        assert np.abs(one[name] - several[name]).mean() <= 5e-4, name


def test_dropout_changes_what_is_learnt(trained):
    with_it, without = (trained["one", run]["model/output_dense/kernel"] for run in ("everything", "no dropout"))
    assert np.abs(with_it - without).max() > 1e-3


def test_two_replicas_with_dropout_give_the_same_run_twice(trained):
    first, second = trained["two", "everything"], trained["two", "everything again"]
    assert list(first) == list(second)
    for name in first:
        if name != "state.json":  # holds what the steps cost
            assert np.array_equal(first[name], second[name]), name


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_gradients_that_are_not_finite_are_noticed(bad):
    sound = [np.full([300, 40], 1e30, np.float32), np.full([7], -3.0, np.float32)]
    assert bool(all_finite([tf.constant(value) for value in sound]))
    for number, place in enumerate([(299, 39), (0,)]):
        broken = [value.copy() for value in sound]
        broken[number][place] = bad
        assert not bool(all_finite([tf.constant(value) for value in broken]))


class Roots:
    """A network of four zeros, and the sum of their roots as its loss: 0, with a gradient that is infinite."""

    def __init__(self):
        self.weights = [keras.Variable(np.zeros([4], np.float32), name="zeros")]

    def units(self, batch):
        return tf.constant(1.0)

    def __call__(self, model, batch, noise):
        return tf.reduce_sum(tf.sqrt(tf.convert_to_tensor(model.weights[0].value)))


@pytest.mark.parametrize("scale, noticed", [(None, 6), (2.0 ** 15, -1), (1.0, 6)])
def test_a_finite_loss_hides_no_infinite_gradient_unless_its_scale_may_still_fall(scale, noticed):
    roots, optimizer = Roots(), FusedAdam(0.1)
    optimizer.build(roots.weights)
    state = TrainState(model=roots, optimizer=optimizer, loss_scale=LossScale(scale) if scale else None)
    step = TrainStep(state=state, objective=roots, validation_loss=roots, seed=0, batch_rows=1,
                     devices=Devices(tf.distribute.get_strategy(), 0, 1, 1, False))
    spec = {"targets": tf.TensorSpec([None, None], tf.int32)}
    step.compile(spec, spec)
    step.train({"targets": tf.constant([[1]])}, 6)
    sums = state.sums.read()
    assert (sums.loss, sums.bad_step, sums.bad_gradient_step) == (0.0, -1, noticed)
    if scale:
        assert float(state.loss_scale.scale) == max(scale / 2, 1.0)
        assert not roots.weights[0].numpy().any()
