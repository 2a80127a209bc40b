"""Trainings for tests: a small records folder, and processes that train on it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from records.text.vocabulary import SPECIALS, Vocabulary
from tests.conftest import ROOT
from tests.records import folders

VOCABULARY = 100


def write_records(folder: Path) -> Path:
    """601 captions for training, of 1 to 15 tokens; an odd number, so that the last batch is never full."""
    splits = {"train": folders.random_split(0, [40, 37, 50, 41]), "validation": folders.random_split(1, [10, 10])}
    for record in splits["train"][0]:
        record[0] = record[0][:3]  # some captions are much shorter than others
    folders.write(folder, splits, feature_size=32)
    words = [f"w{i}" for i in range(len(SPECIALS), VOCABULARY)]
    Vocabulary((*SPECIALS, *words), (0, 0, 0, *[5] * len(words)), (0, 0, 0, *[3] * len(words))).save(folder)
    return folder


def ports(count: int) -> list[int]:
    """Free TCP ports of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    found = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return found


def start(arguments: list[str], workers: int = 1, **environment: str) -> list[subprocess.Popen]:
    """`python ARGUMENTS`, once per worker, with TF_CONFIG where there are several."""
    cluster = {"worker": [f"localhost:{port}" for port in ports(workers)]}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", **environment}
    processes = []
    for index in range(workers):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        processes.append(subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**environment, "WORKER": str(index), **({"TF_CONFIG": json.dumps(task)} if workers > 1 else {})}))
    return processes


def finish(processes: list[subprocess.Popen]) -> list[tuple[int, str]]:
    """Exit status and output of each."""
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


def train(records: Path, run_dir: Path, *flags: str, workers: int = 1, **environment: str) -> list[tuple[int, str]]:
    """`main.py --mode=train` on tests' records; (exit status, output) of each worker."""
    return finish(start(["main.py", "--mode=train", f"--records_dir={records}", f"--run_dir={run_dir}", *flags],
                        workers, **environment))


class Interrupt(keras.callbacks.Callback):
    """--callbacks=tests.tagger.training.run:Interrupt sends its own process a signal at a chosen moment.

    INTERRUPT is "SIGNAL:MOMENT:COUNT", MOMENT being batch (after the step COUNT of the run's epochs together),
    validation or epoch (after epoch COUNT); WORKER=INTERRUPTED_WORKER where only one of several shall get it.
    """

    def __init__(self):
        super().__init__()
        number, moment, count = os.environ.get("INTERRUPT", "0::0").split(":")
        mine = os.environ["WORKER"] == os.environ.get("INTERRUPTED_WORKER", os.environ["WORKER"])
        # A tuple: plain attributes would come back from the checkpoint of the process that was interrupted.
        self._plan = (int(number) if mine else 0, moment, int(count))
        self.epoch = 0

    def _at(self, moment: str, count: int) -> None:
        number, *planned = self._plan
        if number and [moment, count] == planned:
            os.kill(os.getpid(), number)

    def on_train_batch_end(self, batch, logs=None):
        self._at("batch", self.epoch * self.params["steps"] + batch + 1)

    def on_test_begin(self, logs=None):
        self._at("validation", self.epoch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self.epoch = epoch + 1
        self._at("epoch", epoch + 1)


class BreakWeight(keras.callbacks.Callback):
    """--callbacks=tests.tagger.training.run:BreakWeight makes a weight NaN after the third step of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            kernel = self.model.get_layer("lstm").cell.recurrent_kernel
            value = kernel.numpy()
            value[0, 0] = np.nan
            kernel.assign(value)


class FillMemory(keras.callbacks.Callback):
    """--callbacks=tests.tagger.training.run:FillMemory asks TensorFlow for more memory than any machine has."""

    def on_train_batch_end(self, batch, logs=None):
        tf.zeros([1 << 46])


def arrays(run_dir: Path, prefix: str = "") -> dict[str, np.ndarray]:
    """Everything in the newest checkpoint whose name starts with `prefix`."""
    newest = sorted((run_dir / "checkpoints").iterdir())[-1]
    with np.load(newest) as file:
        return {name: file[name] for name in file.files if name.startswith(prefix)}
