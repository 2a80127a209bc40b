"""What a training writes to stderr: progress, a line for each epoch, and how it began and ended."""

import sys
from collections.abc import Callable, Sequence

import keras
from etils import epath

from records.util.counted import counted
from records.util.progress import Progress
from tagger.runs.run_dir import WEIGHTS_FILE
from tagger.training import history
from tagger.training.hints import past_its_best
from tagger.training.run_progress import RunProgress


class Terminal(keras.callbacks.Callback):
    """Reports to stderr."""

    def __init__(self, *, run_dir: epath.PathLike, progress: RunProgress, validation_steps: int,
                 hints: Sequence[str] = (), judge: Callable[[Sequence[history.Epoch]], str] = lambda _: "",
                 epochs_flag: str = "epochs", last: bool = True):
        """Arguments that are not of the run itself only add lines.

        Args:
          hints: to show before the first epoch of a new run.
          judge: gives what to show after the last of these epochs, or "".
          epochs_flag: of which more makes a finished run go on; "" where none does.
          last: False where another stage follows.
        """
        super().__init__()
        self._next = "" if not last else f"; raise --{epochs_flag} to go on, or start over with --fresh" if (
            epochs_flag) else (f"; another --run_dir with --init_from={run_dir} goes on from its best weights, --fresh "
                               "starts over")
        self._hints, self._judge = hints, judge
        self._run_dir, self._progress, self._validation_steps = run_dir, progress, validation_steps
        self._bar: Progress | None = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        progress = self._progress
        if not progress.resumed:
            for line in self._hints:
                _say(line)
            return
        if self.model.stop_training:
            _say(f"{self._run_dir}: training has stopped early already; another --run_dir with "
                 f"--init_from={self._run_dir} goes on from its best weights, --fresh starts over")
        elif progress.epoch >= self.params["epochs"]:
            _say(f"{self._run_dir}: training is complete already" + self._next)
        elif progress.step == self.params["steps"]:
            _say(f"continuing with the validation of epoch {progress.epoch + 1}")
        else:
            _say(f"continuing in epoch {progress.epoch + 1}, after step {progress.step} of {self.params['steps']}")

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._bar = Progress(f"epoch {epoch + 1}/{self.params['epochs']}", self.params["steps"], "steps",
                             self._progress.step, warms_up=True)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._bar:
            self._bar.add(1, self._progress.meter.note() if logs else "")

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self._bar = Progress("validation", self._validation_steps, "steps", warms_up=True)

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self._bar:
            self._bar.add(1)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        row, best = self._progress.epochs[-1], history.best(self._progress.epochs)
        mark = "best so far" if best is row else f"best {_validated(best)} in epoch {best.epoch}"
        cost = self._progress.throughput[-1] if self._progress.throughput else None
        speed = (f", {cost.tokens_per_s:,.0f} tokens/s, {cost.step_ms:.0f} ms a step, {cost.data_wait:.1%} waiting"
                 if cost and cost.epoch == row.epoch else "")
        _say(f"epoch {row.epoch}/{self.params['epochs']}: loss {row.loss:.4f}, {_validated(row)} ({mark}), "
             f"learning rate {row.learning_rate:.3g}{speed}")
        if line := self._judge(self._progress.epochs):
            _say(line)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        rows = self._progress.epochs
        if not rows:
            return
        best = history.best(rows)
        early = "stopped early after " if self.model.stop_training and len(rows) < self.params["epochs"] else ""
        _say(f"{early}{counted(len(rows), 'epoch')}; best {_validated(best)} in epoch {best.epoch}: "
             f"{epath.Path(self._run_dir) / WEIGHTS_FILE}")
        if line := past_its_best(rows):
            _say(line)


def say_stopped(epoch: int, step: int, steps: int) -> None:
    """The last line of a training that SIGTERM ended; epoch from 0."""
    _say(f"stopped in epoch {epoch + 1} after step {step} of {steps}; the same command continues")


def _validated(row: history.Epoch) -> str:
    return f"val_loss {row.val_loss:.4f}" + (f", val_cider {row.val_cider:.2f}" if row.val_cider is not None else "")


def _say(line: str) -> None:
    sys.stderr.write(f"\r{line}\x1b[K\n" if sys.stderr.isatty() else f"{line}\n")
    sys.stderr.flush()
