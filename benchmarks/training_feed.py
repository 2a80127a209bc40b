"""What the input pipeline costs a training step: the same batches from the pipeline, and held in memory."""

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks import pipeline_data, training_data
from benchmarks.alternation import alternate, start_contender

_CAPTIONS = 20_000
_WARM = 3  # steps of each block that are not timed; the pipeline's buffers are full when timing starts


def _write_records(folder: Path, captions: str) -> None:
    """A records folder with the captions that the other contenders train on."""
    texts = training_data.captions(captions, _CAPTIONS)
    tokens = np.array([word for text in texts for word in [*text, 1]], np.int32)
    lengths = np.array([len(text) + 1 for text in texts], np.int32)
    pipeline_data.write_records(folder, pipeline_data.Captions(tokens, lengths))


def _serve(folder: Path, batch_size: int, in_memory: bool, steps: int, device: str, pipe: Connection) -> None:
    """In a process of its own: (seconds a step from the pipeline, seconds a step on held batches) for each request."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.training_contenders import train_step_on
    from records.input.caption_dataset import CaptionDataset, InputOptions, open_split
    from tagger.training.distributed_dataset import TrainInput
    from tagger.training.distribution import open_devices
    from tagger.training.mixed_precision import compute_dtype

    devices = open_devices(device)
    options = InputOptions(batch_size=batch_size, ram_budget_mb=1 << 20 if in_memory else 0)
    feed = TrainInput(CaptionDataset(open_split(folder, "train"), options), devices)
    dtype = compute_dtype("auto", devices.on_gpu)
    state, train_step = train_step_on(devices, batch_size, feed.epoch(0).element_spec, dtype)

    def seconds(batches: Iterable) -> float:
        """Of a step, the wait for its batch included."""
        source: Iterator = iter(batches)
        for step in range(_WARM):
            train_step.train(next(source), step)
        state.sums.read()  # waits for the device
        start = time.perf_counter()
        for step in range(steps):
            train_step.train(next(source), step)
        state.sums.read()
        return (time.perf_counter() - start) / steps

    held = list(itertools.islice(feed.epoch(0), _WARM + steps))
    pipe.send("")
    while pipe.recv() is not None:
        pipe.send((seconds(feed.epoch(0)), seconds(held)))


def cost(captions: str, batch_size: int, rounds: int, device: str) -> None:
    """Prints a step's time with the pipeline, and its ratio to the step on the same batches held in memory."""
    steps = max((8192 if device == "gpu" else 1024) // batch_size, 8)
    print(f"\n| batch {batch_size}, {steps} steps a block | ms from the pipeline | ms from held batches | ratio |\n"
          "|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        _write_records(Path(folder) / "records", captions)
        for name, in_memory in (("in memory", True), ("streaming", False)):
            contender = start_contender(_serve, Path(folder) / "records", batch_size, in_memory, steps, device)
            found = alternate({name: contender}, rounds)[name]
            piped, held = (statistics.median(times) for times in zip(*found, strict=True))
            ratio = statistics.median(one / other for one, other in found)
            print(f"| {name} | {piped * 1e3:,.1f} | {held * 1e3:,.1f} | {ratio:.3f} |")
