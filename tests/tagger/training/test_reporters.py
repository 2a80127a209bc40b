"""What a training writes while it runs: terminal, tables, plot, TensorBoard; driven as the trainer drives them."""

import keras
import pytest
import tensorflow as tf

from tagger.training import history
from tagger.training.run_files import HistoryFiles, LossPlot
from tagger.training.run_progress import RunProgress
from tagger.training.running_sums import Sums
from tagger.training.tensorboard import TensorBoard
from tagger.training.terminal import Terminal

STEPS = 4


class Model:
    stop_training = False


def begin(reporters, progress, **model):
    callbacks = keras.callbacks.CallbackList(reporters, epochs=2, steps=STEPS, verbose=0)
    shown = Model()
    vars(shown).update(model)
    for reporter in reporters:
        reporter._model = shown
    callbacks.on_train_begin()
    return callbacks


def epoch(callbacks, progress, val_loss, val_cider=None):
    """One epoch, looked at after its last step."""
    callbacks.on_epoch_begin(progress.epoch)
    progress.meter.start(Sums(0.0, 0, 0, 0, -1), 0)
    for step in range(STEPS):
        if step + 1 == STEPS:
            progress.meter.look(Sums(20.0, 8, 8, 4, -1), STEPS)
        callbacks.on_train_batch_end(step, {"loss": 2.5} if step + 1 == STEPS else {})
    progress.add_throughput(history.Throughput(progress.epoch + 1, 2.0, 4000.0, 400.0, 25.0, 0.01))
    progress.epochs.append(history.Epoch(progress.epoch + 1, 2.5, val_loss, 0.001, val_cider))
    callbacks.on_test_begin()
    callbacks.on_test_batch_end(0)
    progress.epoch += 1
    callbacks.on_epoch_end(progress.epoch - 1, {"loss": 2.5, "val_loss": val_loss})


def test_terminal(tmp_path, capsys):
    progress = RunProgress()
    callbacks = begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1)], progress)
    epoch(callbacks, progress, 3.0)
    epoch(callbacks, progress, 3.5)
    callbacks.on_train_end()
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2: loss 2.5000, val_loss 3.0000 (best so far), learning rate 0.001, 4,000 tokens/s, 25 ms a step, "
        "1.0% waiting",
        "epoch 2/2: loss 2.5000, val_loss 3.5000 (best val_loss 3.0000 in epoch 1), learning rate 0.001, "
        "4,000 tokens/s, 25 ms a step, 1.0% waiting",
        f"2 epochs; best val_loss 3.0000 in epoch 1: {tmp_path / 'best.weights.h5'}"]


@pytest.mark.parametrize("place, stopped, line", [
    ((1, 3), False, "continuing in epoch 2, after step 3 of 4"),
    ((2, 0), False, "training is complete already; raise --epochs"),
    ((1, 0), True, "training has stopped early already; start over with --fresh")])
def test_terminal_says_where_a_run_goes_on(tmp_path, capsys, place, stopped, line):
    progress = RunProgress(epoch=place[0], step=place[1], resumed=True)
    begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1)], progress, stop_training=stopped)
    assert line in capsys.readouterr().err


def test_files(tmp_path):
    progress = RunProgress()
    callbacks = begin([HistoryFiles(run_dir=tmp_path, progress=progress),
                       LossPlot(run_dir=tmp_path, progress=progress)], progress)
    assert not list(tmp_path.iterdir())
    epoch(callbacks, progress, 3.0)
    assert history.read(tmp_path) == progress.epochs
    assert (tmp_path / "throughput.csv").read_text().splitlines()[1] == "1,2.0,4000.0,400.0,25.0,0.01"
    assert (tmp_path / "loss.png").stat().st_size > 5000
    (tmp_path / "history.csv").unlink()
    progress.resumed = True
    begin([HistoryFiles(run_dir=tmp_path, progress=progress)], progress)
    assert history.read(tmp_path) == progress.epochs


def test_tensorboard(tmp_path):
    progress = RunProgress()
    callbacks = begin([TensorBoard(run_dir=tmp_path, progress=progress)], progress)
    epoch(callbacks, progress, 3.0)
    epoch(callbacks, progress, 2.0)
    callbacks.on_train_end()
    (file,) = (tmp_path / "tensorboard").iterdir()
    written = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            written.setdefault(value.tag, []).append((event.step, float(tf.make_ndarray(value.tensor))))
    assert written["step/loss"] == [(4, 2.5), (8, 2.5)]
    assert written["epoch/val_loss"] == [(1, 3.0), (2, 2.0)]
    assert set(written) == {"epoch/loss", "epoch/val_loss", "step/loss", "step/tokens_per_s", "step/captions_per_s",
                            "step/step_ms", "step/data_wait"}
