import pytest

from tagger.training.run_progress import RunProgress
from tagger.training.terminal import Terminal
from tests.tagger.training.reporters import begin, epoch


def test_terminal(tmp_path, capsys):
    progress = RunProgress()
    callbacks = begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1)], progress)
    epoch(callbacks, progress, 3.0)
    epoch(callbacks, progress, 3.5)
    callbacks.callbacks[0].model.stop_training = True  # by the last epoch, which is not early
    callbacks.on_train_end()
    assert capsys.readouterr().err.splitlines() == [
        "epoch 1/2: loss 2.5000, val_loss 3.0000 (best so far), learning rate 0.001, 4,000 tokens/s, 25 ms a step, "
        "1.0% waiting",
        "epoch 2/2: loss 2.5000, val_loss 3.5000 (best val_loss 3.0000 in epoch 1), learning rate 0.001, "
        "4,000 tokens/s, 25 ms a step, 1.0% waiting",
        f"2 epochs; best val_loss 3.0000 in epoch 1: {tmp_path / 'best.weights.h5'}"]


@pytest.mark.parametrize("place, stopped, line", [
    ((1, 3), False, "continuing in epoch 2, after step 3 of 4"),
    ((1, 4), False, "continuing with the validation of epoch 2"),
    ((2, 0), False, "training is complete already; raise --epochs"),
    ((1, 0), True, "training has stopped early already; another --run_dir with --init_from=")])
def test_terminal_says_where_a_run_goes_on(tmp_path, capsys, place, stopped, line):
    progress = RunProgress(epoch=place[0], step=place[1], resumed=True)
    begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1)], progress, stop_training=stopped)
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("options, line", [
    ({"epochs_flag": "trained_feature_epochs"}, "already; raise --trained_feature_epochs to go on, or start over"),
    ({"epochs_flag": ""}, "already; another --run_dir with --init_from="), ({"last": False}, "complete already\n")])
def test_terminal_names_only_flags_that_make_a_finished_run_go_on(tmp_path, capsys, options, line):
    progress = RunProgress(epoch=2, resumed=True)
    begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1, **options)], progress)
    assert line in capsys.readouterr().err


def test_terminal_shows_what_is_to_say_of_an_epoch(tmp_path, capsys):
    progress = RunProgress()
    callbacks = begin([Terminal(run_dir=tmp_path, progress=progress, validation_steps=1,
                                judge=lambda rows: "it diverges" if rows[-1].val_loss > 5 else "")], progress)
    epoch(callbacks, progress, 3.0)
    assert "it diverges" not in capsys.readouterr().err
    epoch(callbacks, progress, 9.0)
    assert capsys.readouterr().err.endswith("\nit diverges\n")
