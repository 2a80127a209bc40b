"""Training from pixels next to its peers: the pipeline of photos alone, a whole step, and memory.

    python -m benchmarks.pixels --images=FOLDER --only=pipeline     photos of any size; the embedded ones without
    python -m benchmarks.pixels --weights=FILE --only=step          ResNet50's; random ones without, which are no faster
    python -m benchmarks.pixels --only=memory                       peak of reading 1,000 and 100,000 photos

Peers that the product does not need: pip install torch==2.13.0 torchvision==0.28.0

Every contender is a process of its own with two threads of work and freed memory kept. Epochs or steps of the
contenders alternate after some that are not counted; medians count. The time that training waits for photos is in the
run's throughput.csv.
"""

import argparse
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import pipeline_data
from benchmarks.alternation import alternate, start_contender
from benchmarks.pipeline_contenders import consumer
from benchmarks.pixel_contenders import BATCH, PIPELINES, STEPS, step_batch
from records.images.shrinking import shrink

_DEMO = Path(__file__).parents[1] / "tagger" / "demo_data" / "images"
_SMALL, _LARGE, _SIDE = 1_000, 100_000, 128  # photos, and their short side where memory is measured


def write_photos(folder: Path, images: Path, count: int, side: int) -> None:
    """`count` photos, and records of them: those of `images` again and again, a corner of noise apart.

    Args:
      side: length in pixels that the longer side is brought to.
    """
    import numpy as np
    from PIL import Image

    from flags.make_records import MakeRecords
    from records import make_records

    (folder / "photos" / "all").mkdir(parents=True)
    paths, rows = sorted(images.glob("*.jpg")), ["image,caption"]
    random = np.random.default_rng(0)
    for number in range(count):
        with Image.open(paths[number % len(paths)]) as photo:
            factor = side / max(photo.size)
            pixels = np.array(photo.convert("RGB").resize([round(factor * length) for length in photo.size]))
        pixels[:8, :8] = random.integers(0, 256, (8, 8, 3))
        Image.fromarray(pixels).save(folder / "photos" / "all" / f"{number:06}.jpg", quality=90)
        rows += [f"all/{number:06}.jpg,a dog runs after ball number {caption} on grass" for caption in range(5)]
    (folder / "captions.csv").write_text("\n".join(rows))
    make_records.run(MakeRecords(images=str(folder / "photos"), captions=str(folder / "captions.csv"), backbone="none",
                                 records_dir=str(folder / "records"), split_fractions="train=1", name="bench"))


def _serve_pipeline(name: str, folder: Path, pipe: Connection) -> None:
    from records.util.malloc import keep_freed_memory

    keep_freed_memory()
    make, is_dataset = PIPELINES[name]
    epoch_of = make(folder)
    consume = consumer(is_dataset)
    consume(epoch_of(0))
    pipe.send("")
    while (epoch := pipe.recv()) is not None:
        start = time.perf_counter()
        consume(epoch_of(epoch))
        pipe.send(time.perf_counter() - start)


def _serve_step(name: str, weights: str, pipe: Connection) -> None:
    make, steps = STEPS[name]
    if name.startswith("this project"):
        from records.util.malloc import keep_freed_memory

        keep_freed_memory()  # as --mode=train does
    train = make(step_batch(), weights)
    for _ in range(2):
        train()
    pipe.send("")
    while pipe.recv() is not None:
        start = time.perf_counter()
        train()
        pipe.send((time.perf_counter() - start) / steps)


def _medians(serve: Callable, names: list[str], argument: Any, rounds: int) -> dict[str, float]:
    """Median seconds of each contender."""
    contenders = {name: start_contender(serve, name, argument) for name in names}
    return {name: statistics.median(seconds) for name, seconds in alternate(contenders, rounds).items()}


def pipeline(folder: Path, images: Path, count: int, sides: list[int], rounds: int) -> None:
    """Prints photos/s of every pipeline."""
    for side in sides:
        write_photos(folder / f"{side}", images, count, side)
        took = _medians(_serve_pipeline, list(PIPELINES), folder / f"{side}", rounds)
        first = count / took["this pipeline"]
        print(f"\n{count:,} photos, longer side {side} px, batch {BATCH}, median of {rounds} epochs\n")
        print("| pipeline | photos/s | this one is × |\n|---|---:|---:|")
        for name, seconds in took.items():
            print(f"| {name} | {count / seconds:,.0f} | {first * seconds / count:.2f} |", flush=True)


def step(weights: str, only: str, rounds: int) -> None:
    """Prints seconds of a step."""
    names = [name for name in STEPS if only in name]
    took = _medians(_serve_step, names, weights, rounds)
    print(f"\nResNet50 from conv4_block1 on, {BATCH} photos with 5 captions, median of {rounds}\n")
    print("| step | s | photos/s | this project is × |\n|---|---:|---:|---:|")
    for name, seconds in took.items():
        ours = took[f"this project, {name.rpartition(', ')[2]}"]
        print(f"| {name} | {seconds:.2f} | {BATCH / seconds:.1f} | {seconds / ours:.2f} |", flush=True)


def _peak(folder: Path, photos: int, pipe: Connection) -> None:
    """Reads so many photos, in as many epochs as it takes, and sends the peak memory in MiB."""
    epoch_of = PIPELINES["this pipeline"][0](folder)
    steps, epoch = photos // BATCH, 0
    while steps > 0:
        for _ in epoch_of(epoch).take(steps):
            steps -= 1
        epoch += 1
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory(folder: Path, images: Path, read: int) -> None:
    """Prints the peak memory of reading a small and a large set."""
    photo, _, _ = shrink(sorted(images.glob("*.jpg"))[0].read_bytes(), _SIDE)
    context = multiprocessing.get_context("spawn")
    print("\n| photos in the set | photos read | peak memory, MiB |\n|---:|---:|---:|")
    for count in (_SMALL, _LARGE):
        records = folder / f"memory-{count}" / "records"
        pipeline_data.write_records(records, pipeline_data.synthetic_captions(count), photo)
        here, there = context.Pipe()
        process = context.Process(target=_peak, args=(records.parent, read, there))
        process.start()
        print(f"| {count:,} | {read:,} | {here.recv():,.0f} |", flush=True)
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=_DEMO, help="folder of JPEG photos")
    parser.add_argument("--photos", type=int, default=1000, help="of the pipelines' sets")
    parser.add_argument("--sides", type=int, nargs="+", default=[500, 224], help="longer sides of the photos")
    parser.add_argument("--weights", default="", help="weights file of ResNet50 without its classifier")
    parser.add_argument("--steps", default="", help="only steps with this in their name, such as bfloat16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--read", type=int, default=20_000, help="photos read to measure memory")
    parser.add_argument("--only", choices=("pipeline", "step", "memory"))
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    folder = Path(tempfile.mkdtemp(prefix="benchmark-pixels-"))
    try:
        if options.only in (None, "pipeline"):
            pipeline(folder, options.images, options.photos, options.sides, options.rounds)
        if options.only in (None, "step"):
            step(options.weights, options.steps, options.rounds)
        if options.only in (None, "memory"):
            memory(folder, options.images, options.read)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
