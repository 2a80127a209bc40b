"""The training loop: epochs of steps, validation, Keras callbacks, checkpoints, and going on after an interruption.

    Loop(config, devices, model, optimizer, stepper, train, validation, callbacks).run()

The place in the run is (epoch, steps of it made). A checkpoint is written after a step, and after an epoch's callbacks
have run; what came after the last checkpoint is done again by the next start, with the same result.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from etils import epath

from flags.errors import UserError
from flags.train import Train
from records.util.atomic_files import write_atomic
from records.util.progress import Progress
from tagger.training import history, loss_plot
from tagger.training.callbacks import get_state, set_state
from tagger.training.checkpoints import Checkpoints
from tagger.training.distributed_dataset import Feed
from tagger.training.distribution import Devices
from tagger.training.optimizer import FusedAdam
from tagger.training.step import Stepper, Sums
from tagger.training.throughput import Meter

TENSORBOARD_FOLDER = "tensorboard"
BAD_BATCH_FILE = "bad_batch.json"
EXIT_TERMINATED = 128 + signal.SIGTERM
_PLOT_EVERY_S = 20.0


class Loop:
    """One run, from wherever its folder says that it stopped."""

    def __init__(self, config: Train, devices: Devices, model: keras.Model, optimizer: FusedAdam, stepper: Stepper,
                 train: Feed, validation: Feed, callbacks: Sequence[keras.callbacks.Callback],
                 score_captions: Callable[[], float] | None = None):
        """model: the published Keras model over the weights that are trained; callbacks see it. score_captions: gives
        an epoch's val_cider, with --monitor=val_cider.
        """
        self._score_captions = score_captions
        self._config, self._devices, self._model = config, devices, model
        self._optimizer, self._stepper, self._train, self._validation = optimizer, stepper, train, validation
        model.optimizer, model.stop_training = optimizer, False
        self._callback_list = keras.callbacks.CallbackList(
            list(callbacks), model=model, epochs=config.epochs, steps=train.steps, verbose=0)
        self._callbacks = list(callbacks)
        # Keras hands each batch's loss to callbacks; reading it waits for the device, so only where one listens.
        self._batch_logs = any(type(c).on_train_batch_end is not keras.callbacks.Callback.on_train_batch_end
                               or type(c).on_batch_end is not keras.callbacks.Callback.on_batch_end for c in callbacks)
        self._checkpoints = Checkpoints(config.run_dir, config.keep_checkpoints)
        self._variables = {f"model/{weight.path}": weight.value for weight in model.weights}
        self._variables.update({f"optimizer/{variable.path}": variable.value for variable in optimizer.variables})
        self._variables.update(stepper.state())
        self._epoch = self._step = 0
        self._rows: list[history.Epoch] = []
        self._costs: list[history.Throughput] = []
        self._asked_to_stop = 0  # number of the signal that this host got
        self._stop_agreed = False  # by all hosts, which must stop after the same step
        self._saved_at, self._saved_place = time.monotonic(), (-1, -1)
        self._plotted_at = -_PLOT_EVERY_S
        self._writer = tf.summary.create_noop_writer()

    def run(self) -> int:
        """Trains until the epochs are done or a callback stops the run; leaves the best weights in the model.

        Returns:
          0, or 143 after SIGTERM, once a checkpoint is written.

        Raises:
          UserError: the loss is not finite, or no checkpoint is whole.
          KeyboardInterrupt: after SIGINT, once a checkpoint is written.
        """
        self._callback_list.on_train_begin()
        self._resume()
        if self._devices.is_chief:
            self._writer = tf.summary.create_file_writer(str(epath.Path(self._config.run_dir) / TENSORBOARD_FOLDER))
        with self._signals():
            while self._epoch < self._config.epochs and not self._model.stop_training and not self._stopping:
                if self._train_epoch() and self._validate():
                    self._checkpoint()
            if self._stopping:
                self._checkpoint()
                if self._asked_to_stop == signal.SIGINT:
                    raise KeyboardInterrupt
                return EXIT_TERMINATED
        self._callback_list.on_train_end()
        self._report()
        return 0

    @property
    def _stopping(self) -> bool:
        return bool(self._asked_to_stop) if self._devices.hosts == 1 else self._stop_agreed

    def _train_epoch(self) -> bool:
        """Makes the rest of the epoch's steps; False when stopped before its end."""
        if self._step == 0:
            self._stepper.trained.reset()
            self._callback_list.on_epoch_begin(self._epoch)
        steps = self._train.steps
        meter = Meter(self._stepper.trained.read(), self._step)
        batches = iter(self._train.epoch(self._epoch, self._step)) if self._step < steps else iter(())
        progress = self._progress(f"epoch {self._epoch + 1}/{self._config.epochs}", steps, self._step)
        while self._step < steps:
            if self._stopping:
                return False
            self._callback_list.on_train_batch_begin(self._step)
            with meter.waiting():
                batch = next(batches)
            update = self._step + 1 == steps or (self._step + 1) % self._config.accumulate_steps == 0
            stop = self._stepper.train(batch, self._epoch * steps + self._step, update, bool(self._asked_to_stop))
            self._step += 1
            logs, note = {}, ""
            if self._batch_logs or meter.due() or self._step == steps:
                sums = self._look()
                logs, note = {"loss": sums.mean}, meter.note(sums, self._step)
                self._write_scalars(self._epoch * steps + self._step, "step", meter.scalars(sums, self._step))
            progress.add(1, note)
            self._callback_list.on_train_batch_end(self._step - 1, logs)
            if self._devices.hosts > 1:
                self._stop_agreed = bool(stop.numpy())
            self._checkpoint_if_due()
        if meter.steps(self._step):
            self._costs = [cost for cost in self._costs if cost.epoch != self._epoch + 1]
            self._costs.append(meter.cost(self._epoch + 1, self._look(), self._step))
        return not self._stopping

    def _validate(self) -> bool:
        """Validates, runs the callbacks and moves on to the next epoch; False when stopped before the callbacks."""
        trained = self._look()
        rate = np.float32(self._optimizer.rate(self._optimizer.iterations.value - 1))
        self._stepper.use_average()
        self._callback_list.on_test_begin()
        self._stepper.validated.reset()
        progress = self._progress("validation", self._validation.steps, 0)
        batches = iter(self._validation.ordered())
        for _ in range(self._validation.steps):
            if self._stopping:
                self._stepper.use_current()
                return False
            self._stepper.validate(next(batches))
            progress.add(1)
        validated = self._stepper.validated.read()
        if validated.bad_step >= 0:
            raise UserError(f"the validation loss is not finite after epoch {self._epoch + 1}; lower --learning_rate "
                            f"(now {self._config.learning_rate}) or set --clip_norm=1")
        # The shortest decimal that is this float32: 0.001, not 0.0010000000474974513.
        row = history.Epoch(self._epoch + 1, trained.mean, validated.mean, float(str(rate)),
                            self._score_captions() if self._score_captions else None)
        self._rows.append(row)
        self._callback_list.on_test_end({"loss": row.val_loss})
        self._callback_list.on_epoch_end(self._epoch, _scalars(row))
        self._stepper.use_current()
        self._epoch, self._step = self._epoch + 1, 0
        self._stepper.trained.reset()
        self._record(row)
        return True

    def _look(self) -> Sums:
        """The epoch's sums so far.

        Raises:
          UserError: a step's loss was not finite.
        """
        sums = self._stepper.trained.read()
        if sums.bad_step < 0:
            return sums
        epoch, step = divmod(sums.bad_step, self._train.steps)
        keys = self._train.keys(epoch, step)
        path = epath.Path(self._config.run_dir) / BAD_BATCH_FILE
        if self._devices.is_chief:
            write_atomic(path, json.dumps({"epoch": epoch + 1, "step": step + 1, "images": keys}, indent=1) + "\n")
        saved = self._checkpoints.steps()
        back = f"the checkpoint at step {saved[-1]} is from before it" if saved else "there is no checkpoint before it"
        raise UserError(
            f"the loss is not finite in epoch {epoch + 1}, step {step + 1} of {self._train.steps}, on captions of "
            f"{', '.join(keys[:5])}{' …' if len(keys) > 5 else ''} (all {len(keys)} images of the batch: {path}); "
            f"{back}; look at these, lower --learning_rate (now {self._config.learning_rate}) or set --clip_norm=1, "
            "and start with --fresh")

    def _record(self, row: history.Epoch) -> None:
        """Shows a finished epoch everywhere: terminal, TensorBoard, CSV, plot."""
        if not self._devices.is_chief:
            return
        best = history.best(self._rows)
        mark = "best so far" if best is row else f"best {_validated(best)} in epoch {best.epoch}"
        cost = self._costs[-1] if self._costs and self._costs[-1].epoch == row.epoch else None
        speed = (f", {cost.tokens_per_s:,.0f} tokens/s, {cost.step_ms:.0f} ms a step, {cost.data_wait:.1%} waiting"
                 if cost else "")
        _say(f"epoch {row.epoch}/{self._config.epochs}: loss {row.loss:.4f}, {_validated(row)} ({mark}), "
             f"learning rate {row.learning_rate:.3g}{speed}")
        self._write_scalars(row.epoch, "epoch", _scalars(row))
        self._write_tables()
        if time.monotonic() - self._plotted_at > _PLOT_EVERY_S:
            loss_plot.plot_loss(self._config.run_dir, self._rows)
            self._plotted_at = time.monotonic()

    def _write_tables(self) -> None:
        history.write(self._config.run_dir, self._rows, self._costs)

    def _report(self) -> None:
        if not self._devices.is_chief or not self._rows:
            return
        self._write_tables()
        loss_plot.plot_loss(self._config.run_dir, self._rows)
        self._writer.close()
        best = history.best(self._rows)
        early = "stopped early after " if self._model.stop_training else ""
        _say(f"{early}{len(self._rows)} epochs; best {_validated(best)} in epoch {best.epoch}: "
             f"{epath.Path(self._config.run_dir) / 'best.weights.h5'}")

    def _write_scalars(self, step: int, group: str, scalars: dict[str, float]) -> None:
        with self._writer.as_default(step):
            for name, value in scalars.items():
                tf.summary.scalar(f"{group}/{name}", value)

    def _progress(self, label: str, total: int, initial: int) -> Progress:
        stream = sys.stderr if self._devices.is_chief else open(os.devnull, "w")
        return Progress(label, total, "steps", initial, stream)

    def _checkpoint_if_due(self) -> None:
        steps, minutes = self._config.checkpoint_every_steps, self._config.checkpoint_every_minutes
        if (steps and (self._epoch * self._train.steps + self._step) % steps == 0) or (
                minutes and time.monotonic() - self._saved_at > minutes * 60):
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Writes a checkpoint, unless this place in the run has one or the loss has stopped being finite."""
        place = (self._epoch, self._step)
        if not self._devices.is_chief or place == self._saved_place:
            return
        self._look()
        state = {
            "epoch": self._epoch, "step": self._step, "stop_training": bool(self._model.stop_training),
            "steps_per_epoch": self._train.steps, "callbacks": get_state(self._callbacks),
            "history": [vars(row) for row in self._rows], "throughput": [vars(cost) for cost in self._costs]}
        self._checkpoints.save(self._epoch * self._train.steps + self._step, self._variables, state)
        self._saved_at, self._saved_place = time.monotonic(), place

    def _resume(self) -> None:
        found = self._checkpoints.restore(self._variables)
        if found is None:
            return
        _, state = found
        if state["steps_per_epoch"] != self._train.steps:
            raise UserError(f"--run_dir={self._config.run_dir}: was trained with {state['steps_per_epoch']} steps an "
                            f"epoch, now there are {self._train.steps}: --ram_budget_mb decides how the split is cut; "
                            "give the earlier value, or start over with --fresh")
        self._epoch, self._step = state["epoch"], state["step"]
        self._saved_place = (self._epoch, self._step)
        self._rows = [history.Epoch(**row) for row in state["history"]]
        self._costs = [history.Throughput(**cost) for cost in state["throughput"]]
        set_state(self._callbacks, state["callbacks"])
        self._model.stop_training = state["stop_training"]
        if not self._devices.is_chief:
            return
        self._write_tables()
        if self._model.stop_training or self._epoch >= self._config.epochs:
            _say(f"{self._config.run_dir}: training is complete already; raise --epochs to go on, or start over with "
                 "--fresh" if not self._model.stop_training else
                 f"{self._config.run_dir}: training has stopped early already; start over with --fresh")
        else:
            _say(f"continuing in epoch {self._epoch + 1}, after step {self._step} of {self._train.steps}")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask the loop to stop after the step at hand; a second one is not held back."""
        def ask(number: int, _: object) -> None:
            self._asked_to_stop = number
            signal.signal(number, before[number])

        before: dict[int, Any] = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _scalars(row: history.Epoch) -> dict[str, float]:
    """What callbacks and TensorBoard get of an epoch."""
    return {name: value for name, value in vars(row).items() if name != "epoch" and value is not None}


def _validated(row: history.Epoch) -> str:
    return f"val_loss {row.val_loss:.4f}" + (f", val_cider {row.val_cider:.2f}" if row.val_cider is not None else "")


def _say(line: str) -> None:
    sys.stderr.write(f"\r{line}\x1b[K\n" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()
