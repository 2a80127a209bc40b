"""The input pipeline alone: captions per second next to its peers, and memory against the size of the set.

    python -m benchmarks.pipeline --captions=Flickr8k.token.txt      real caption lengths; without it, synthetic ones
    python -m benchmarks.pipeline --only=memory                      or --only=speed

Peers that the product does not need: pip install torch==2.13.0 webdataset tensorflow-datasets

Every contender gives features, inputs and targets of the same captions, shuffled anew each epoch, in a process of its
own that stays up and keeps freed memory, as training does (records.util.malloc). The first epoch warms caches and is
checked to hold every caption. Then epochs of the contenders alternate; the median counts. tf.data pipelines are
iterated in a graph, the others, and one more row for this one, in a Python loop. Processor time is that of the process
alone, without its workers; where other work shares the cores, it says more than the clock.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks import pipeline_data
from benchmarks.alternation import Contender, alternate, start_contender


def _serve(name: str, folder: Path, batch_size: int, pipe: Connection) -> None:
    """In a process of its own: makes the contender and counts an epoch; then the seconds, by the clock and of processor
    time, of each epoch asked for."""
    from benchmarks.pipeline_contenders import CONTENDERS, consumer
    from records.util.malloc import keep_freed_memory

    keep_freed_memory()
    make, in_graph = CONTENDERS[name]
    try:
        epoch_of = make(folder, batch_size)
    except ImportError as error:
        pipe.send(f"{error.name} is not installed")
        return
    targets = [np.asarray(b["targets"] if isinstance(b, dict) else b[2]) for b in epoch_of(0)]
    pipe.send((sum(int((t == 1).sum()) for t in targets), sum(int((t > 0).sum()) for t in targets),
               sum(t.size for t in targets)))
    consume = consumer(in_graph)
    while (epoch := pipe.recv()) is not None:
        start, busy = time.perf_counter(), time.process_time()
        consume(epoch_of(epoch))
        pipe.send((time.perf_counter() - start, time.process_time() - busy))


def speed(folder: Path, captions: pipeline_data.Captions, batch_size: int, rounds: int, without: str) -> None:
    """Prints the table for one batch size; contenders that have `without` in their name are left out."""
    from benchmarks.pipeline_contenders import CONTENDERS

    contenders: dict[str, Contender] = {}
    padding: dict[str, float] = {}
    for name in (name for name in CONTENDERS if not without or without not in name):
        contender = start_contender(_serve, name, folder, batch_size)
        found = contender.ready or "its process died"
        if isinstance(found, str):
            print(f"{name}: left out, {found}", file=sys.stderr)
        elif found[:2] != (len(captions.lengths), len(captions.tokens)):
            raise SystemExit(f"{name} gave {found[0]} captions with {found[1]} tokens, expected "
                             f"{len(captions.lengths)} with {len(captions.tokens)}")
        else:
            contenders[name] = contender
            padding[name] = 1 - found[1] / found[2]
    seconds = alternate(contenders, rounds + 1)
    rates = {name: [len(captions.lengths) / statistics.median(column)  # the first in a graph also traces it
                    for column in zip(*took[1:], strict=True)] for name, took in seconds.items()}
    names = list(rates)
    print(f"\nbatch {batch_size}, {len(captions.lengths):,} captions, F = {pipeline_data.FEATURE_SIZE}, "
          f"median of {rounds} epochs\n")
    ratios = "in memory is × | streaming is ×"
    print(f"| pipeline | padded positions | captions/s | {ratios} | captions per CPU second | {ratios} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in names:
        columns = [f"{rate:,.0f} | {rates[names[0]][i] / rate:.2f} | {rates[names[1]][i] / rate:.2f}"
                   for i, rate in enumerate(rates[name])]
        print(f"| {name} | {padding[name]:.0%} | {' | '.join(columns)} |")


def _stream(folder: Path, batch_size: int, captions: int, pipe: Connection) -> None:
    """Reads so many captions in streaming mode, however many epochs that takes, and sends the peak memory in MiB."""
    from records.input import caption_dataset

    batches = caption_dataset.CaptionDataset(
        caption_dataset.open_split(folder, "train"),
        caption_dataset.InputOptions(batch_size=batch_size, ram_budget_mb=0))
    steps, epoch = captions // batch_size, 0
    while steps > 0:
        for _ in batches.epoch(epoch).take(steps):
            steps -= 1
        epoch += 1
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory(folder: Path, batch_size: int, large: int) -> None:
    """Prints the peak memory of streaming a small and a large set."""
    context = multiprocessing.get_context("spawn")
    print("\n| captions in the set | captions read | peak memory, MiB |\n|---:|---:|---:|")
    peaks = []
    for captions in (10_000, large):
        records = folder / f"streamed-{captions}"
        if not (records / "manifest.json").exists():
            shutil.rmtree(records, ignore_errors=True)
            pipeline_data.write_records(
                records, pipeline_data.synthetic_captions(captions // pipeline_data.CAPTIONS_PER_IMAGE))
        here, there = context.Pipe()
        process = context.Process(target=_stream, args=(records, batch_size, large, there))
        process.start()
        peaks.append(here.recv())
        process.join()
        print(f"| {captions:,} | {large:,} | {peaks[-1]:,.0f} |")
    print(f"\nlarge over small: {peaks[1] / peaks[0]:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", help="Flickr token file whose caption lengths are used")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[64, 512])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--large", type=int, default=1_000_000, help="captions of the large set")
    parser.add_argument("--without", default="", help="leave out contenders with this in their name; those with "
                        "'workers' take most of the time")
    parser.add_argument("--only", choices=("speed", "memory"))
    parser.add_argument("--folder", type=Path, help="where the data is written, and kept for the next run")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="benchmark-pipeline-"))
    try:
        if options.only != "memory":
            captions = (pipeline_data.real_captions(options.captions, options.images) if options.captions
                        else pipeline_data.synthetic_captions(options.images))
            pipeline_data.write_all(folder / "speed", captions)
            for batch_size in options.batch_sizes:
                speed(folder / "speed", captions, batch_size, options.rounds, options.without)
        if options.only != "speed":
            memory(folder, options.batch_sizes[0], options.large)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
