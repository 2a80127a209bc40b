"""A training step next to its peers, where its time goes, and what the input pipeline adds to it.

    python -m benchmarks.training --captions=flickr30k_captions.token.gz     real caption lengths; synthetic without
    python -m benchmarks.training --only=peers                               or --only=pieces (of a CPU), or --only=feed
    python -m benchmarks.training --device=gpu --batch_sizes=64,1024

The PyTorch peer, which the product does not need: pip install torch==2.13.0

Every contender lives in a process of its own with the same batches (V = 19,222, dropout 0.5, Adam) in memory. Passes
over four batches (sixteen on a GPU) alternate after one that is not counted; medians count. The floating-point work is
that of the matrix products on real positions, forward and backward; its share is of the rate of a 2048 × 2048 product
in the same process.
"""

import argparse
import os
import statistics
import time
from multiprocessing.connection import Connection

from benchmarks import training_data, training_feed
from benchmarks.alternation import Contender, alternate, start_contender

_WARM = 1  # passes of each contender before anything is timed


def _contenders(device: str) -> dict:
    from benchmarks.training_contenders import CONTENDERS, GPU_CONTENDERS

    return GPU_CONTENDERS if device == "gpu" else CONTENDERS


def _serve(name: str, captions: str, batch_size: int, count: int, device: str, pipe: Connection) -> None:
    """In a process of its own: makes the contender; then seconds a step of each pass asked for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # several contenders share the GPU's memory
    batches = training_data.batches(captions, batch_size, count)
    try:
        train = _contenders(device)[name](batches, device)
        for _ in range(_WARM):
            train()
    except Exception as error:  # one contender that cannot run here does not keep the others from it
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send("")
    while pipe.recv() is not None:
        start = time.perf_counter()
        train()
        pipe.send((time.perf_counter() - start) / count)


def peers(captions: str, batch_size: int, rounds: int, names: list[str], device: str) -> None:
    """Prints captions/s of every contender and by how much the first is faster."""
    count = 16 if device == "gpu" else 4
    contenders: dict[str, Contender] = {}
    for name in names:
        contender = start_contender(_serve, name, captions, batch_size, count, device)
        problem = "its process died" if contender.ready is None else contender.ready
        if problem:
            print(f"{name}: left out, {problem}")
            contender.process.join()
        else:
            contenders[name] = contender
    times = alternate(contenders, rounds)
    first, seconds = next(iter(times.items()))
    ours = statistics.median(seconds)
    print(f"\n| batch {batch_size} | ms a step | captions/s | {first} is faster by |\n|---|---|---|---|")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        ms = f"{median * 1e3:,.{0 if median > 0.02 else 2}f}"
        print(f"| {name} | {ms} | {batch_size / median:,.0f} | {median / ours:.2f} |")


def parts(captions: str, batch_size: int) -> None:
    """Prints the table of pieces."""
    from benchmarks.training_pieces import matmul_rate, pieces

    batch = training_data.batches(captions, batch_size, 1)[0]
    before = matmul_rate()
    found = pieces(batch)
    rate = (before + matmul_rate()) / 2
    whole, work = found["whole step"]
    tokens = int((batch["targets"] > 0).sum())
    print(f"\nBatch {batch_size}: {tokens} real positions of {batch['targets'].size}; {work / 1e9:.1f} GFLOP; "
          f"matrix product {rate / 1e6:.0f} GFLOP/s\n\n"
          "| piece | ms | share of the matrix-product rate |\n|---|---|---|")
    for name, (ms, flop) in found.items():
        if name != "whole step":
            print(f"| {name} | {ms:.1f} | {f'{flop / ms / rate:.2f}' if flop else ''} |")
    rest = whole - sum(ms for name, (ms, _) in found.items() if name != "whole step")
    print(f"| everything else | {rest:.1f} | |\n| whole step | {whole:.1f} | {work / whole / rate:.2f} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", default="", help="Flickr token file, may be gzipped; synthetic captions without")
    parser.add_argument("--batch_sizes", default="64,512")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each contender over its four batches")
    parser.add_argument("--only", choices=("peers", "pieces", "feed"))
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--contenders", default="", help="some of them, with | between; all without")
    arguments = parser.parse_args()
    names = arguments.contenders.split("|") if arguments.contenders else list(_contenders(arguments.device))
    for batch_size in map(int, arguments.batch_sizes.split(",")):
        if arguments.only in (None, "peers"):
            # The one-hot targets of the notebook's form take 5 GB at batch 512.
            chosen = [name for name in names if batch_size <= 64 or name != "notebook's form"]
            peers(arguments.captions, batch_size, arguments.rounds, chosen, arguments.device)
        if arguments.only in (None, "pieces") and arguments.device == "cpu":
            parts(arguments.captions, batch_size)
        if arguments.only in (None, "feed"):
            training_feed.cost(arguments.captions, batch_size, arguments.rounds, arguments.device)


if __name__ == "__main__":
    main()
