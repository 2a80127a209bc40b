"""On a machine with a GPU: `python -m pytest -m gpu`. Everything that the CPU's tests promise holds there too."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from tagger.training import history
from tests.tagger.training.run import ROOT, arrays, finish, start, train, write_records
from tests.tagger.training.test_train_step import BATCH, DROPOUT, EVERYTHING, NO_DROPOUT, REWARDS
from tests.tagger.training.test_trainer import KILLED, TERMINATED, assert_same_run

pytestmark = pytest.mark.gpu

EXACT = {"NVIDIA_TF32_OVERRIDE": "0"}  # float32 products with all bits of float32, as a CPU has them
COMMON = {"batch_size": BATCH, "epochs": 5, "plateau_patience": 0, "precision": "float32"}
RUNS = {"plain": {"dropout": 0.0}, "everything": {**EVERYTHING, **NO_DROPOUT}, "rewards": REWARDS,
        "dropout": {**DROPOUT, "feature_dropout": 0.3}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gpu")


@pytest.fixture(scope="module")
def records(folder):
    return write_records(folder / "records")


@pytest.fixture(scope="module")
def trained(folder, records):
    """{(devices, training): arrays}: on the CPU, on the GPU, and on two logical devices that share the GPU."""
    found = {}
    for spec in ("cpu", "gpu:0", "gpu halves"):
        flags = [{"records_dir": str(records), "run_dir": str(folder / spec / name), **COMMON, **run}
                 for name, run in RUNS.items()]
        [(status, output)] = finish(start(["tests/tagger/training/strategies.py", spec, json.dumps(flags)], **EXACT))
        assert status == 0, output
        found.update({(spec, name): arrays(folder / spec / name) for name in RUNS})
    return found


@pytest.mark.parametrize("devices", ["gpu:0", "gpu halves"])
@pytest.mark.parametrize("training", RUNS)
def test_same_weights_as_on_a_cpu(trained, devices, training):
    expected, found = trained["cpu", training], trained[devices, training]
    compared = [name for name in expected if name.startswith(("model/", "average/"))]
    assert len(compared) in (10, 20)
    for name in compared:
        assert np.abs(expected[name] - found[name]).max() <= 1e-4, name


@pytest.mark.parametrize("precision", ["auto", "mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_as_float32_does(trained, records, folder, precision):
    run_dir = folder / precision
    [(status, output)] = train(records, run_dir, "--devices=gpu", f"--precision={precision}", "--batch_size=62",
                               "--epochs=5", "--plateau_patience=0", "--dropout=0")
    assert status == 0, output
    losses = [row.val_loss for row in history.read(run_dir)]
    exact = [row.val_loss for row in history.read(folder / "cpu" / "plain")]
    assert losses[-1] == pytest.approx(exact[-1], abs=0.05)  # float16 leaves out its first updates: they overflow
    assert losses != exact


def test_deterministic_runs_are_equal_also_when_killed(records, folder):
    flags = ("--devices=gpu", "--batch_size=62", "--epochs=3", "--deterministic", "--checkpoint_every_steps=3",
             "--callbacks=tests.tagger.training.run:Interrupt")
    whole, killed = folder / "whole", folder / "killed"
    runs = [(whole, 0, "batch:0", 0), (killed, signal.SIGKILL, "batch:5", KILLED),
            (killed, signal.SIGTERM, "batch:17", TERMINATED), (killed, 0, "batch:0", 0)]
    for run_dir, number, moment, expected in runs:
        [(status, output)] = train(records, run_dir, *flags, INTERRUPT=f"{int(number)}:{moment}")
        assert status == expected, output
    assert_same_run(killed, whole)


def test_xla_gives_the_same_losses(trained, records, folder):
    [(status, output)] = train(records, folder / "xla", "--devices=gpu", "--xla", "--precision=float32",
                               "--batch_size=62", "--epochs=5", "--plateau_patience=0", "--dropout=0", **EXACT)
    assert status == 0, output
    losses = [row.val_loss for row in history.read(folder / "xla")]
    assert losses == pytest.approx([row.val_loss for row in history.read(folder / "cpu" / "plain")], abs=1e-3)


def test_the_whole_job_on_a_gpu(tmp_path):
    result = subprocess.run([sys.executable, "main.py", "--mode=demo", f"--run_dir={tmp_path / 'demo'}"], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "demo" / "export" / "1" / "saved_model.pb").exists()
