"""The same weights whatever the devices: loss and gradients are means over the real tokens of the global batch."""

import json

import numpy as np
import pytest

from tests.tagger.training.run import arrays, finish, start, write_records

BATCH, EPOCHS = 62, 5  # 10 steps an epoch, 43 captions in the last; 62 rows do not divide by 3
PLAIN = {"dropout": 0.0}
EVERYTHING = {"dropout": 0.0, "clip_norm": 0.5, "weight_decay": 0.1, "label_smoothing": 0.1, "warmup_steps": 3,
              "schedule": "cosine", "ema": 0.9, "accumulate_steps": 3}
DROPOUT = {"dropout": 0.5, "feature_dropout": 0.2, "embedding_dropout": 0.2, "tag_weight": 0.5}
STREAMED = {**DROPOUT, "ram_budget_mb": 0, "epochs": 2}  # each host pads its captions to its own longest
REWARDS = {"dropout": 0.0, "self_critical_epochs": 2, "supervised_weight": 0.5, "tag_weight": 0.5}
RUNS = {"plain": PLAIN, "everything": EVERYTHING, "dropout": DROPOUT, "streamed": STREAMED, "rewards": REWARDS,
        "dropout again": DROPOUT}
DEVICES = {"one": ("cpu", 1), "two": ("cpu:2", 1), "three": ("cpu:3", 1), "workers": ("cpu", 2)}
TRAINED = {"one": ["plain", "everything", "dropout", "streamed", "rewards"],
           "two": ["plain", "dropout", "dropout again"],
           "three": ["everything", "dropout", "streamed"],
           "workers": ["plain", "everything", "dropout", "streamed", "rewards"]}


UPDATES = {"everything": 20, "rewards": 6, "streamed": 22}


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
    if training != "dropout again"])
def test_same_weights_as_on_one_device(trained, devices, training):
    one, several = trained["one", training], trained[devices, training]
    compared = [name for name in one if name.startswith(("model/", "average/"))]
    assert len(compared) == (20 if training == "everything" else 10)
    assert int(one["optimizer/adam/iteration"]) == UPDATES.get(training, 50)
    for name in compared:
        assert np.abs(one[name] - several[name]).max() <= 1e-5, name


def test_trainings_differ_from_one_another(trained):
    plain, everything, dropout = (trained["one", run]["model/output_dense/kernel"] for run in (
        "plain", "everything", "dropout"))
    assert np.abs(plain - everything).max() > 1e-3
    assert np.abs(plain - dropout).max() > 1e-3


def test_two_replicas_with_dropout_give_the_same_run_twice(trained):
    first, second = trained["two", "dropout"], trained["two", "dropout again"]
    assert list(first) == list(second)
    for name in first:
        if name != "state.json":  # holds what the steps cost
            assert np.array_equal(first[name], second[name]), name
