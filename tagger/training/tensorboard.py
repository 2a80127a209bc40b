"""Scalars for TensorBoard: of steps, as often as they are looked at, and of epochs."""

import keras
import tensorflow as tf
from etils import epath

from tagger.training.run_progress import RunProgress

FOLDER = "tensorboard"


class TensorBoard(keras.callbacks.Callback):
    """Writes RUN_DIR/tensorboard: `step/…` over the steps of the whole run, `epoch/…` over epochs from 1."""

    def __init__(self, *, run_dir: epath.PathLike, progress: RunProgress):
        super().__init__()
        self._folder, self._progress = str(epath.Path(run_dir) / FOLDER), progress
        self._writer = tf.summary.create_noop_writer()
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._writer = tf.summary.create_file_writer(self._folder)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if logs:
            self._write(self._epoch * self.params["steps"] + batch + 1, "step", self._progress.meter.scalars())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._write(epoch + 1, "epoch", logs or {})

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._writer.close()

    def _write(self, step: int, group: str, scalars: dict[str, float]) -> None:
        with self._writer.as_default(step):
            for name, value in scalars.items():
                tf.summary.scalar(f"{group}/{name}", value)
