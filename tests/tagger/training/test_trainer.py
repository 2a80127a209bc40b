"""A training that is interrupted ends as one that is not, to the last bit."""

import json
import random
import signal

import numpy as np
import pytest

from flags.errors import TemporaryError, UserError
from flags.train import Train
from tagger.runs.run_dir import load_run
from tagger.train import run
from tagger.training import history
from tests.records import folders
from tests.tagger.training.run import arrays, train, write_records

STEPS = 10  # in an epoch
FLAGS = ("--batch_size=62", "--epochs=4", "--deterministic", "--checkpoint_every_steps=3", "--patience=2",
         "--plateau_patience=1", "--learning_rate=0.01", "--callbacks=tests.tagger.training.run:Interrupt")
KILLED, TERMINATED = -signal.SIGKILL, 128 + signal.SIGTERM


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records") / "records")


@pytest.fixture(scope="module")
def uninterrupted(records, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("run") / "uninterrupted"
    [(status, output)] = train(records, run_dir, *FLAGS)
    assert status == 0, output
    return run_dir


def assert_same_run(run_dir, other):
    assert (run_dir / "history.csv").read_bytes() == (other / "history.csv").read_bytes()
    for mine, theirs in zip(load_run(run_dir).model.weights, load_run(other).model.weights, strict=True):
        assert np.array_equal(mine, theirs)
    last, expected = arrays(run_dir), arrays(other)
    assert list(last) == list(expected)
    for name in last:
        if name != "state.json":  # holds what the steps cost
            assert np.array_equal(last[name], expected[name]), name


def interrupt(records, run_dir, moments, flags=FLAGS):
    """Starts the run again and again, each time interrupted at the next of the moments, then to its end."""
    for number, moment, count in moments:
        [(status, output)] = train(records, run_dir, *flags, INTERRUPT=f"{int(number)}:{moment}:{count}")
        assert status == (KILLED if number == signal.SIGKILL else TERMINATED), output
        assert (number == signal.SIGTERM) == ("; the same command continues" in output), output
    [(status, output)] = train(records, run_dir, *flags)
    assert status == 0, output
    return output


def test_history_and_best_epoch(uninterrupted):
    rows = history.read(uninterrupted)
    assert [row.epoch for row in rows][:2] == [1, 2]
    assert (uninterrupted / "loss.png").stat().st_size > 5000
    assert list((uninterrupted / "tensorboard").iterdir())


def test_killed_and_terminated_in_the_middle(uninterrupted, records, tmp_path):
    """By the flags that the other run left in its config.json, which is how one repeats a run to the last bit."""
    run_dir = tmp_path / "run"
    output = interrupt(records, run_dir, [
        (signal.SIGKILL, "batch", 5), (signal.SIGTERM, "validation", 1), (signal.SIGKILL, "epoch", 2)],
        [f"--flagfile={uninterrupted / 'config.json'}"])
    assert "continuing in epoch 2, after step" in output
    assert_same_run(run_dir, uninterrupted)


@pytest.mark.slow
def test_killed_in_each_of_three_stages(records, tmp_path):
    flags = (*FLAGS, "--epochs=1", "--teachers=1", "--self_critical_epochs=3", "--tag_weight=0.5")
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    [(status, output)] = train(records, whole, *flags)
    assert status == 0, output
    assert (whole / "history.csv").read_text().startswith("epoch,loss,val_loss,learning_rate,val_cider\n1,-")
    stages = ["teacher_1", "cross_entropy", "."]
    # Each stage counts its own steps: those of a stage that an earlier interruption left behind do not come again.
    for number, step, done in ((signal.SIGTERM, 7, 0), (signal.SIGKILL, 4, 1), (signal.SIGKILL, 2, 2)):
        [(status, output)] = train(records, run_dir, *flags, INTERRUPT=f"{int(number)}:batch:{step}")
        assert status in (KILLED, TERMINATED), output
        assert [(run_dir / stage / "best.weights.h5").exists() for stage in stages] == [i < done for i in range(3)]
    [(status, output)] = train(records, run_dir, *flags)
    assert status == 0, output
    for stage in stages:
        assert_same_run(run_dir / stage, whole / stage)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [(), ("--self_critical_epochs=2",)])
def test_killed_in_mixed_precision(records, tmp_path, stage):
    flags = (*FLAGS, "--epochs=2", "--precision=mixed_bfloat16", *stage)
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    assert train(records, whole, *flags)[0][0] == 0
    [(status, output)] = train(records, run_dir, *flags, INTERRUPT=f"{int(signal.SIGKILL)}:batch:5")
    assert status == KILLED, output
    [(status, output)] = train(records, run_dir, *flags)
    assert status == 0, output
    assert_same_run(run_dir, whole)


@pytest.mark.slow
def test_twenty_interruptions(uninterrupted, records, tmp_path):
    run_dir, chosen, steps = tmp_path / "run", random.Random(0), STEPS * len(history.read(uninterrupted))
    moments = [(chosen.choice([signal.SIGKILL, signal.SIGTERM]), "batch", step)
               for step in sorted(chosen.sample(range(1, steps + 1), 20))]
    interrupt(records, run_dir, moments)
    assert_same_run(run_dir, uninterrupted)


def test_a_finished_run_says_so_and_changes_nothing(uninterrupted, records):
    before = arrays(uninterrupted), (uninterrupted / "history.csv").read_bytes()
    [(status, output)] = train(records, uninterrupted, *FLAGS)
    assert status == 0
    complete = len(history.read(uninterrupted)) == 4
    assert ("training is complete already" if complete else "stopped early already") in output
    after = arrays(uninterrupted)
    assert after.keys() == before[0].keys() and all(np.array_equal(after[name], before[0][name]) for name in after)
    assert (uninterrupted / "history.csv").read_bytes() == before[1]


def test_checkpoints_move_between_numbers_of_devices(records, tmp_path):
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    assert run(Train(records_dir=str(records), run_dir=str(whole), batch_size=62, epochs=2, dropout=0.0)) == 0
    flags = ("--batch_size=62", "--epochs=2", "--dropout=0", "--callbacks=tests.tagger.training.run:Interrupt")
    for devices, step in (("cpu", 7), ("cpu:2", 14)):
        stop = {"INTERRUPT": f"{int(signal.SIGTERM)}:batch:{step}"}
        [(status, output)] = train(records, run_dir, *flags, f"--devices={devices}", **stop)
        assert status == TERMINATED, output
    assert "continuing in epoch 1, after step 7 of 10" in output
    [(status, output)] = train(records, run_dir, *flags, "--devices=cpu")
    assert status == 0, output
    assert "continuing in epoch 2, after step 4 of 10" in output
    found, expected = arrays(run_dir, "model/"), arrays(whole, "model/")
    assert max(np.abs(found[name] - expected[name]).max() for name in expected) <= 1e-5


def test_one_worker_of_two_is_killed(records, tmp_path):
    flags = (*FLAGS, "--devices=cpu")
    whole, run_dir = tmp_path / "whole", tmp_path / "run"
    for status, output in train(records, whole, *flags, workers=2):
        assert status == 0, output
    (chief, output), (killed, _) = train(records, run_dir, *flags, workers=2,
                                         INTERRUPT=f"{int(signal.SIGKILL)}:batch:8", INTERRUPTED_WORKER="1")
    assert killed == KILLED
    assert chief == TemporaryError.status, output
    assert "another worker stopped answering" in output and "Graph execution" not in output, output
    for status, output in train(records, run_dir, *flags, workers=2):
        assert status == 0, output
    assert_same_run(run_dir, whole)


def test_workers_stop_together_when_one_is_told_to(records, tmp_path):
    results = train(records, tmp_path / "run", *FLAGS, "--devices=cpu", workers=2,
                    INTERRUPT=f"{int(signal.SIGTERM)}:batch:4", INTERRUPTED_WORKER="1")
    assert [status for status, _ in results] == [TERMINATED, TERMINATED]
    assert all("stopped in epoch 1 after step 5" in output for _, output in results), results
    assert sorted((tmp_path / "run" / "checkpoints").iterdir())[-1].name == "step-00000005.npz"


def test_a_loss_that_is_not_finite_stops_the_run(records, tmp_path):
    with pytest.raises(UserError, match="the loss is not finite in epoch 1, step .*train/.*--clip_norm"):
        run(Train(records_dir=str(records), run_dir=str(tmp_path / "run"), batch_size=62, learning_rate=1e30, epochs=2))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_feature_that_is_not_finite_reaches_no_weights(tmp_path, monkeypatch):
    sound = folders.feature

    def feature(shard: int, record: int, size: int) -> np.ndarray:
        values = sound(shard, record, size)
        values[3] = np.nan if (shard, record) == (2, 30) else values[3]
        return values

    monkeypatch.setattr(folders, "feature", feature)
    run_dir = tmp_path / "run"
    # With oneDNN, which --mode=train has by default, ReLU makes 0 of NaN and the loss stays finite.
    [(status, output)] = train(write_records(tmp_path / "records"), run_dir, "--batch_size=62", "--epochs=1",
                               TF_ENABLE_ONEDNN_OPTS="1")
    assert status == 1, output
    message, named = output.splitlines()[-1], run_dir / "bad_batch.json"
    assert message.startswith("error: ")
    assert "train/2/30" in message or "train/2/30" in json.loads(named.read_text())["images"], message
    assert not (run_dir / "best.weights.h5").exists() and not (run_dir / "checkpoints").exists()
