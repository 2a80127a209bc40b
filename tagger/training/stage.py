"""One stage of --mode=train: a task on devices that are open already, from its run folder to its best weights."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import cast

import keras
from etils import epath

from flags.train import Train
from records.input.shard_reader import reading_errors
from tagger.evaluation import files
from tagger.modeling import tag_calibration
from tagger.runs import run_dir, trained_backbone, trained_features
from tagger.training import bad_batch, history, loss_plot, tensorboard
from tagger.training.callbacks import make_callbacks
from tagger.training.checkpoints import Checkpoints
from tagger.training.distributed_dataset import TrainInput, ValidationInput
from tagger.training.distribution import wait_for_all
from tagger.training.hints import worse_than_guessing
from tagger.training.mixed_precision import LossScale
from tagger.training.run_files import HistoryFiles, LossPlot
from tagger.training.run_progress import RunProgress
from tagger.training.same_run import check_same, epochs_flag
from tagger.training.task import Task
from tagger.training.tensorboard import TensorBoard
from tagger.training.terminal import Terminal
from tagger.training.train_state import TrainState
from tagger.training.train_step import TrainStep
from tagger.training.trainer import Trainer


def run_stage(task: Task, callbacks: Sequence[keras.callbacks.Callback] = (), last: bool = True) -> int:
    """Trains, or goes on training, and returns the exit status.

    Args:
      callbacks: called after the published ones and those of --callbacks.
      last: whether no other stage comes after this one.

    Raises:
      UserError: bad input, another run in the folder, a loss that is not finite.
    """
    config, devices, schedule = task.config, task.devices, task.schedule
    published = make_callbacks(  # first, as a class of --callbacks that is none leaves no run behind
        config=task.callback_flags, monitor=schedule.monitor,
        save=(lambda: task.save_weights(model)) if devices.is_chief else None,
        load=(lambda: task.load_weights(model)) if devices.is_chief else None)
    train, validation = TrainInput(task.train, devices), ValidationInput(task.validation, devices)
    if devices.is_chief:
        _prepare(task)
    wait_for_all(devices)

    updates_per_epoch = -(-train.steps // config.accumulate_steps)
    with devices.strategy.scope():
        model = task.make_model()
        state = TrainState(
            model=model, optimizer=task.make_optimizer(model, schedule.epochs * updates_per_epoch), ema=config.ema,
            accumulate=config.accumulate_steps > 1,
            loss_scale=LossScale() if task.compute_dtype == "float16" else None)
        train_step = TrainStep(state=state, objective=task.make_objective(model),
                               validation_loss=task.validation_loss, devices=devices, seed=config.seed,
                               batch_rows=train.batch_rows, first_row=train.first_row, xla=config.xla)
    train_step.compile(train.epoch(0).element_spec, validation.ordered().element_spec)

    progress = RunProgress()
    reporters = _reporters(task, progress, validation.steps, last) if devices.is_chief else []
    trainer = Trainer(task=task, state=state, train_step=train_step, train=train, validation=validation,
                      callbacks=[*published, *callbacks], reporters=reporters, progress=progress)
    with reading_errors(config.records_dir):
        return trainer.run()


def _reporters(task: Task, progress: RunProgress, validation_steps: int, last: bool
               ) -> list[keras.callbacks.Callback]:
    folder = task.config.run_dir
    return [HistoryFiles(run_dir=folder, progress=progress), LossPlot(run_dir=folder, progress=progress),
            TensorBoard(run_dir=folder, progress=progress),
            Terminal(run_dir=folder, progress=progress, validation_steps=validation_steps, hints=task.hints(),
                     epochs_flag=epochs_flag(task.config), last=last,
                     judge=lambda rows: worse_than_guessing(rows, task.vocabulary.size, task.schedule.remedy))]


def _prepare(task: Task) -> None:
    """Makes the run folder, or checks that this command continues what is in it.

    Raises:
      UserError: a flag that shapes the result, or the records, differ from those of the run in the folder.
    """
    config = task.config
    folder = epath.Path(config.run_dir)
    checkpoints = Checkpoints(folder, config.keep_checkpoints)
    if config.fresh:
        checkpoints.remove_all()
        if (folder / trained_backbone.HASH_FILE).exists():
            trained_features.remove(config.run_dir)
        for name in (run_dir.CONFIG_FILE, run_dir.WEIGHTS_FILE, run_dir.READOUT_FILE, tag_calibration.FILE,
                     trained_backbone.HASH_FILE, trained_backbone.WEIGHTS_FILE, history.HISTORY_FILE,
                     history.THROUGHPUT_FILE, loss_plot.FILE, bad_batch.FILE, run_dir.REPORT_FILE):
            (folder / name).unlink(missing_ok=True)
        for below in (folder / tensorboard.FOLDER, *files.folders(folder)):
            if below.exists():
                below.rmtree()
    if checkpoints.steps():
        check_same(config, task.manifest)
        config = dataclasses.replace(config, init_from=cast(Train, run_dir.load_config(folder)).init_from)
    run_dir.save_description(config, task.manifest, task.vocabulary, task.tags)


def announce(number: int, stages: int, what: str, run_dir: str) -> None:
    """The line before stage `number`, from 1, to stderr; none where it is the only one."""
    if stages > 1:
        print(f"stage {number} of {stages}: {what} ({run_dir})", file=sys.stderr, flush=True)
