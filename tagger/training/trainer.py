"""The trainer: epochs of steps, validation, callbacks, checkpoints, and going on after an interruption.

    Trainer(task=task, state=state, train_step=train_step, train=train, validation=validation,
            callbacks=callbacks, reporters=reporters, progress=progress).run()

The place in the run is (epoch, steps of it made). A checkpoint is written after a step, and after an epoch's callbacks
have run; what came after the last checkpoint is done again by the next start, with the same result.
"""

import signal
import time
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from flags.errors import UserError
from records.util.counted import counted
from tagger.training import bad_batch, checkpoint_state, history
from tagger.training.callback_state import get_state, set_state
from tagger.training.callbacks import check_same, class_names
from tagger.training.checkpoints import Checkpoints
from tagger.training.distributed_dataset import TrainInput, ValidationInput
from tagger.training.distribution import of_chief
from tagger.training.run_progress import RunProgress
from tagger.training.running_sums import Sums
from tagger.training.signals import EXIT_TERMINATED, StopSignals
from tagger.training.task import Task
from tagger.training.terminal import say_stopped
from tagger.training.train_state import TrainState
from tagger.training.train_step import TrainStep


class Trainer:
    """One run, from wherever its folder says that it stopped."""

    def __init__(self, *, task: Task, state: TrainState, train_step: TrainStep, train: TrainInput,
                 validation: ValidationInput, callbacks: Sequence[keras.callbacks.Callback],
                 reporters: Sequence[keras.callbacks.Callback], progress: RunProgress):
        """Takes what is ready to run.

        Args:
          callbacks: may change the training; checkpoints keep their state.
          reporters: only watch. They are called after the callbacks; their on_train_begin when `progress` says where
            the run goes on; on_epoch_begin also where it goes on within an epoch; on_test_batch_end too; and
            on_train_batch_end with logs whenever `progress.meter` has been brought up to date.
          progress: of this run; kept up to date here.
        """
        self._task, self._config, self._devices, self._epochs = task, task.config, task.devices, task.schedule.epochs
        self._state, self._step, self._train, self._validation = state, train_step, train, validation
        self._score = task.make_score(state.model)
        self._progress = progress
        self._model = task.keras_model(state.model)
        self._model.optimizer, self._model.stop_training = state.optimizer, False
        self._callbacks, self._reporters = (
            keras.callbacks.CallbackList(list(some), model=self._model, epochs=self._epochs, steps=train.steps,
                                         verbose=0) for some in (callbacks, reporters))
        self._stateful = list(callbacks)
        # Keras hands each batch's loss to callbacks; reading it waits for the device, so only where one listens.
        self._batch_logs = any(type(c).on_train_batch_end is not keras.callbacks.Callback.on_train_batch_end
                               or type(c).on_batch_end is not keras.callbacks.Callback.on_batch_end for c in callbacks)
        self._checkpoints = Checkpoints(self._config.run_dir, self._config.keep_checkpoints)
        self._signals = StopSignals()
        self._stop_agreed = False  # by all hosts, which must stop after the same step
        self._saved_at, self._saved_place = time.monotonic(), (-1, -1)

    def run(self) -> int:
        """Trains until the epochs are done or a callback stops the run; leaves the best weights in the model.

        Returns:
          0, or 143 after SIGTERM, once a checkpoint is written.

        Raises:
          UserError: the loss, a gradient or a weight is not finite, or no checkpoint is whole.
          KeyboardInterrupt: after SIGINT, once a checkpoint is written.
        """
        progress = self._progress
        self._callbacks.on_train_begin()
        self._resume()
        if self._devices.is_chief:
            self._reporters.on_train_begin()
        with self._signals:
            while progress.epoch < self._epochs and not self._model.stop_training and not self._stopping:
                if self._train_epoch() and self._validate():
                    self._checkpoint()
            if self._stopping:
                self._checkpoint()
                if self._signals.number == signal.SIGINT:
                    raise KeyboardInterrupt
                say_stopped(progress.epoch, progress.step, self._train.steps)
                return EXIT_TERMINATED
        self._callbacks.on_train_end()
        self._reporters.on_train_end()
        return 0

    @property
    def _stopping(self) -> bool:
        return bool(self._signals.number) if self._devices.hosts == 1 else self._stop_agreed

    def _train_epoch(self) -> bool:
        """Makes the rest of the epoch's steps; False when stopped before its end."""
        progress, meter, steps = self._progress, self._progress.meter, self._train.steps
        if progress.step == 0:
            self._state.sums.reset()
            self._callbacks.on_epoch_begin(progress.epoch)
        self._reporters.on_epoch_begin(progress.epoch)
        meter.start(self._state.sums.read(), progress.step)
        batches: Iterator = iter(())
        if progress.step < steps:
            batches = iter(self._train.epoch(progress.epoch, progress.step))
        while progress.step < steps:
            if self._stopping:
                return False
            self._callbacks.on_train_batch_begin(progress.step)
            with meter.waiting():
                batch = next(batches)
            update = progress.step + 1 == steps or (progress.step + 1) % self._config.accumulate_steps == 0
            stop = self._step.train(batch, progress.epoch * steps + progress.step, update, bool(self._signals.number))
            progress.step += 1
            logs = {}
            if self._batch_logs or meter.due() or progress.step == steps:
                sums = self._look()
                meter.look(sums, progress.step)
                logs = {"loss": sums.mean}
            self._callbacks.on_train_batch_end(progress.step - 1, logs)
            self._reporters.on_train_batch_end(progress.step - 1, logs)
            if self._devices.hosts > 1:
                self._stop_agreed = bool(stop.numpy())
            self._checkpoint_if_due()
        if cost := meter.cost(progress.epoch + 1):
            progress.add_throughput(cost)
        return not self._stopping

    def _validate(self) -> bool:
        """Validates, runs the callbacks and moves on to the next epoch; False when stopped before the callbacks."""
        progress, optimizer = self._progress, self._state.optimizer
        self._check_state()
        trained = self._look()
        rate = np.float32(optimizer.rate(optimizer.iterations.value - 1))
        with self._state.averaged_weights():
            self._callbacks.on_test_begin()
            self._reporters.on_test_begin()
            self._step.validated.reset()
            batches: Iterator = iter(self._validation.ordered())
            for step in range(self._validation.steps):
                if self._stopping:
                    return False
                self._step.validate(next(batches))
                self._reporters.on_test_batch_end(step)
            validated = self._step.validated.read()
            if validated.bad_step >= 0:
                raise UserError(
                    f"the validation loss is not finite after epoch {progress.epoch + 1}; {self._task.schedule.remedy}")
            # The shortest decimal that is this float32: 0.001, not 0.0010000000474974513.
            row = history.Epoch(progress.epoch + 1, trained.mean, validated.mean, float(str(rate)),
                                of_chief(self._task.devices, self._score()) if self._score else None)
            progress.epochs.append(row)
            logs = {name: value for name, value in vars(row).items() if name != "epoch" and value is not None}
            self._callbacks.on_test_end({"loss": row.val_loss})
            self._callbacks.on_epoch_end(progress.epoch, logs)
        progress.epoch, progress.step = progress.epoch + 1, 0
        self._state.sums.reset()
        self._reporters.on_epoch_end(row.epoch - 1, logs)
        return True

    def _look(self) -> Sums:
        """The epoch's sums so far.

        Raises:
          UserError: a step's loss or gradients were not finite.
        """
        sums = self._state.sums.read()
        bad_steps = [step for step in (sums.bad_step, sums.bad_gradient_step) if step >= 0]
        if not bad_steps:
            return sums
        epoch, step = divmod(min(bad_steps), self._train.steps)
        images = bad_batch.describe(self._config.run_dir, epoch, step, self._train.keys(epoch, step),
                                    self._devices.is_chief)
        what, remedy = "the loss is", "look at these"
        if min(bad_steps) != sums.bad_step:
            what, remedy = "gradients are", "a feature that holds NaN or infinity does that: run --mode=verify_records"
        raise UserError(
            f"{what} not finite in epoch {epoch + 1}, step {step + 1} of {self._train.steps}, on captions of {images}; "
            f"{self._last_checkpoint()}; {remedy}, {self._task.schedule.remedy}, and start "
            "with --fresh")

    def _check_state(self) -> None:
        """Raises UserError where a weight, or what the optimizer remembers, is not a finite number.

        To be called before such state is written to a file.
        """
        self._look()
        if not self._state.is_finite():
            raise UserError(
                f"weights are not finite in epoch {self._progress.epoch + 1}, after step {self._progress.step} of "
                f"{self._train.steps}; {self._last_checkpoint()}; {self._task.schedule.remedy}, and "
                "start with --fresh")

    def _last_checkpoint(self) -> str:
        saved = self._checkpoints.steps()
        return f"the checkpoint at step {saved[-1]} is from before it" if saved else "there is no checkpoint before it"

    def _checkpoint_if_due(self) -> None:
        steps, minutes = self._config.checkpoint_every_steps, self._config.checkpoint_every_minutes
        if (steps and self._steps_made() % steps == 0) or (
                minutes and time.monotonic() - self._saved_at > minutes * 60):
            self._checkpoint()

    def _steps_made(self) -> int:
        """In the whole run."""
        return self._progress.epoch * self._train.steps + self._progress.step

    def _checkpoint(self) -> None:
        """Writes a checkpoint, unless this place in the run has one."""
        if not self._devices.is_chief or self._progress.place == self._saved_place:
            return
        self._check_state()
        state = {"stop_training": bool(self._model.stop_training), "steps_per_epoch": self._train.steps,
                 "callbacks": get_state(self._stateful), "callback_classes": class_names(self._stateful),
                 **self._progress.get_state()}
        self._checkpoints.save(self._steps_made(), self._state.variables_by_name(), state)
        self._saved_at, self._saved_place = time.monotonic(), self._progress.place

    def _resume(self) -> None:
        restored = self._checkpoints.restore(self._state.variables_by_name(),
                                             lambda state: checkpoint_state.check(state, self._stateful))
        if restored is None:
            return
        _, state = restored
        check_same(len(state["callbacks"]), state.get("callback_classes", ()), self._stateful,
                   self._task.callback_flags)
        if state["steps_per_epoch"] != self._train.steps:
            raise UserError(f"--run_dir={self._config.run_dir}: was trained with "
                            f"{counted(state['steps_per_epoch'], 'step')} an epoch, now it would be "
                            f"{self._train.steps}: --ram_budget_mb decides how the split is cut; give the earlier "
                            "value, or start over with --fresh")
        self._progress.set_state(state)
        self._saved_place = self._progress.place
        set_state(self._stateful, state["callbacks"])
        self._model.stop_training = state["stop_training"]
