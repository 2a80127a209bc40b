"""The files of a run folder that grow with its epochs: history.csv and throughput.csv, and loss.png."""

import time

import keras
from etils import epath

from tagger.training import history, loss_plot
from tagger.training.run_progress import RunProgress

_PLOT_EVERY_S = 20.0  # drawing takes longer than the epochs of small sets


class HistoryFiles(keras.callbacks.Callback):
    """Writes both tables after every epoch, and when a run goes on."""

    def __init__(self, *, run_dir: epath.PathLike, progress: RunProgress):
        super().__init__()
        self._run_dir, self._progress = run_dir, progress

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self._progress.resumed:
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._write()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._progress.epochs:
            self._write()

    def _write(self) -> None:
        history.write(self._run_dir, self._progress.epochs, self._progress.throughput)


class LossPlot(keras.callbacks.Callback):
    """Draws loss.png, at the end and now and then before."""

    def __init__(self, *, run_dir: epath.PathLike, progress: RunProgress):
        super().__init__()
        self._run_dir, self._progress = run_dir, progress
        self._drawn_at = -_PLOT_EVERY_S

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() - self._drawn_at > _PLOT_EVERY_S:
            self._draw()
            self._drawn_at = time.monotonic()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._progress.epochs:
            self._draw()

    def _draw(self) -> None:
        loss_plot.plot_loss(self._run_dir, self._progress.epochs)
