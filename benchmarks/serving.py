"""An export next to its bare backbone and to the notebook's loop, and the server under load.

    python -m benchmarks.serving --run_dir=DIR --export_dir=DIR                  all of it
    python -m benchmarks.serving --run_dir=DIR --export_dir=DIR --only=images    or captions, latency, load

- images: encoded photos through `serving_default`, decoding, captions and tags included, against the backbone alone on
  pixels that lie ready in memory; batch 32, alternating.
- captions: features through the `features` signature (beam search and tags) against the notebook's loop, which calls
  Keras's `model.predict` once per word of one photo, greedily; alternating.
- latency: `--mode=serve`, one photo a request, 1 and 8 clients at once; a server that computes concurrent requests
  together, as it does by default, against one that computes each by itself, two at a time; alternating.
- load: the same for minutes, with the server's memory.
"""

import argparse
import base64
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

PHOTOS = pathlib.Path(__file__).parents[1] / "tagger" / "demo_data" / "images"
_END = 1
_SECONDS = 10  # how long clients ask one server before it is another's turn


def alternating(contenders: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Median rate of each: a contender is a function that returns how many it did. One round is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            done = run()
            if turn:
                rates[name].append(done / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def images(arguments: argparse.Namespace, photos: Sequence[bytes]) -> None:
    """Prints images/s end to end and of the bare backbone."""
    import tensorflow as tf

    from flags.export import Export
    from records.images.decoding import decode_batch
    from tagger.export import backbone_of
    from tagger.runs.run_dir import load_run
    from tagger.saved_model.loaded import SavedModel
    from tagger.saved_model.versions import newest

    config = Export(run_dir=arguments.run_dir, export_dir=arguments.export_dir,
                    backbone_weights=arguments.backbone_weights)
    backbone = backbone_of(config, load_run(arguments.run_dir))
    model = SavedModel(newest(arguments.export_dir))
    batch = list(itertools.islice(itertools.cycle(photos), 32))
    data, pixels = tf.constant(batch), decode_batch(tf.constant(batch), backbone.image_size)[0]

    def bare() -> int:
        backbone(pixels).numpy()
        return 32

    def whole() -> int:
        model.signatures["serving_default"](image_bytes=data)["caption"].numpy()
        return 32

    rates = alternating({"backbone alone": bare, "end to end": whole}, arguments.rounds)
    print(f"\n| {backbone.info.name}, batch 32 | images/s | share of the bare backbone |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} | {rate / rates['backbone alone']:.2f} |")


def captions(arguments: argparse.Namespace) -> None:
    """Prints captions/s from features, ours and the notebook's."""
    import numpy as np
    import tensorflow as tf

    from tagger.runs.run_dir import load_run
    from tagger.saved_model.loaded import SavedModel
    from tagger.saved_model.versions import newest

    run = load_run(arguments.run_dir)
    model = SavedModel(newest(arguments.export_dir))
    keras_model, longest = run.model.to_keras(run.max_length), run.max_length
    generator = np.random.default_rng(0)
    # Pooled features after a relu: sparse and positive.
    features = np.maximum(generator.normal(size=[256, run.model.feature_size]), 0).astype(np.float32)
    if arguments.records_dir:
        from records.input.caption_dataset import images as examples
        from records.input.caption_dataset import open_split

        rows = examples(open_split(arguments.records_dir, "validation")).take(256).as_numpy_iterator()
        features = np.stack([row["feature"] for row in rows]).astype(np.float32)

    def ours() -> int:
        model.signatures["features"](features=tf.constant(features))["caption"].numpy()
        return len(features)

    written = []  # words of the notebook's captions: its time is one call for each, and one for the end

    def notebook() -> int:
        for feature in features[:3]:
            prefix = np.zeros([1, longest], np.int32)
            for position in range(longest):
                word = int(np.argmax(keras_model.predict([feature[np.newaxis], prefix], verbose=0)))
                if word == _END:
                    break
                prefix[0, position] = word
            written.append(np.count_nonzero(prefix))
        return 3

    rates = alternating({"the notebook's loop, greedy": notebook, "features signature, beam 3 and tags": ours},
                        arguments.rounds)
    slowest = rates["the notebook's loop, greedy"]
    ours_written = [len(caption.split()) for caption in
                    model.signatures["features"](features=tf.constant(features))["caption"].numpy()]
    print(f"\n| {run.vocabulary.size:,} words, up to {longest} a caption | captions/s | times the notebook |\n"
          "|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:,.1f} | {rate / slowest:,.0f} |")
    print(f"\nWords a caption, mean: {np.mean(written):.1f} by the notebook's loop, "
          f"{np.mean(ours_written):.1f} by ours.")


@contextlib.contextmanager
def server(export_dir: str, *flags: str) -> Iterator[tuple[int, int]]:
    """A server of its own: process id and port."""
    process = subprocess.Popen(
        [sys.executable, "main.py", "--mode=serve", f"--export_dir={export_dir}", "--port=0", *flags],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=pathlib.Path(__file__).parents[1],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert process.stdout
    text = "".join(itertools.takewhile(lambda line: "Stop with" not in line, process.stdout))
    found = re.search(r"page: +http://[^:]+:(\d+)/", text)
    assert found, f"the server did not start: {text}"
    try:
        yield process.pid, int(found[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def request_for(seconds: float, port: int, photos: Sequence[bytes], clients: int) -> list[float]:
    """Seconds of each request that `clients` made, each as fast as it was answered, for so long."""
    stop = time.monotonic() + seconds
    bodies = [json.dumps({"instances": [{"b64": base64.b64encode(photo).decode()}]}) for photo in photos]

    def client(number: int) -> list[float]:
        connection, times = http.client.HTTPConnection("127.0.0.1", port), []
        for index in itertools.count(number):
            start = time.monotonic()
            if start >= stop:
                return times
            connection.request("POST", "/v1/models/tagger:predict", bodies[index % len(bodies)])
            answer = json.load(connection.getresponse())
            assert answer["predictions"][0]["valid"], answer
            times.append(time.monotonic() - start)
        raise AssertionError

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return [seconds for times in pool.map(client, range(clients)) for seconds in times]


def latency(arguments: argparse.Namespace, photos: Sequence[bytes]) -> None:
    """Prints median and 99th percentile of one and of several clients, of two ways to serve, alternating."""
    flags: dict[str, tuple[str, ...]] = {"together": (), "each by itself": ("--together=1", "--threads=2")}
    cases = [(way, clients) for clients in (1, arguments.clients) for way in flags]
    times: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    with contextlib.ExitStack() as stack:
        ports = {way: stack.enter_context(server(arguments.export_dir, *given))[1] for way, given in flags.items()}
        for way, clients in cases:  # not counted
            request_for(_SECONDS / 2, ports[way], photos, clients)
        for _ in range(arguments.rounds):
            for way, clients in cases:
                times[way, clients] += request_for(_SECONDS, ports[way], photos, clients)
    print("\n| clients, one photo a request | computed | requests/s | median ms | 99th percentile ms |\n"
          "|---|---|---|---|---|")
    for (way, clients), values in times.items():
        cuts = statistics.quantiles(values, n=100)
        print(f"| {clients} | {way} | {len(values) / (_SECONDS * arguments.rounds):.1f} "
              f"| {statistics.median(values) * 1e3:.0f} | {cuts[98] * 1e3:.0f} |")


def load(arguments: argparse.Namespace, photos: Sequence[bytes]) -> None:
    """Prints the server's memory while 8 clients ask for minutes."""
    def resident(pid: int) -> float:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    minutes = arguments.minutes
    with server(arguments.export_dir) as (pid, port):
        request_for(15, port, photos, arguments.clients)
        memory, requests = [resident(pid)], 0
        for _ in range(max(round(minutes * 4), 1)):
            requests += len(request_for(15, port, photos, arguments.clients))
            memory.append(resident(pid))
    half = len(memory) // 2
    rows = {"MB at the start": memory[0], "MB, median of the first half": statistics.median(memory[:half]),
            "MB, median of the second half": statistics.median(memory[half:]), "MB at the end": memory[-1]}
    print(f"\n| {minutes:g} minutes, {arguments.clients} clients | |\n|---|---|\n| requests | {requests:,} |")
    for name, megabytes in rows.items():
        print(f"| {name} | {megabytes:,.0f} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--export_dir", required=True, help="an export of that run")
    parser.add_argument("--records_dir", default="", help="real features for `captions`; random ones without")
    parser.add_argument("--images", default=str(PHOTOS), help="folder of JPEG photos")
    parser.add_argument("--backbone_weights", default="", help="where they are, if not where make_records read them")
    parser.add_argument("--only", choices=("images", "captions", "latency", "load"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=5)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as --mode=serve
    photos = [path.read_bytes() for path in sorted(pathlib.Path(arguments.images).glob("*.jp*g"))[:64]]
    if not photos:
        parser.error(f"--images={arguments.images}: holds no JPEG photos")
    if arguments.only in (None, "images"):
        images(arguments, photos)
    if arguments.only in (None, "captions"):
        captions(arguments)
    if arguments.only in (None, "latency"):
        latency(arguments, photos)
    if arguments.only in (None, "load"):
        load(arguments, photos)


if __name__ == "__main__":
    main()
