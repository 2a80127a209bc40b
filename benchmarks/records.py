"""What writing and verifying records costs, against its peers: python -m benchmarks.records [--photos=20000]

Photos without features, examples per second, medians of alternating runs, each in a process of its own that times
itself without its imports:
  the write alone: rows that are checked and planned, to shards on disk; against TensorFlow Datasets'
      GeneratorBasedBuilder and webdataset's ShardWriter on the same photos and captions;
  the whole job: decode every photo, find duplicates, tag captions, then write; against the same two with the
      same checks called in their generators, and against the two as they are, which look at nothing.
verify_records, MB/s, against sha256sum on the same files. Peak memory of make_records, its workers included, at
1,000, 10,000 and 100,000 small photos.

Peers: pip install webdataset (tensorflow-datasets is a dependency already).
"""

import argparse
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import simplejpeg
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[1]
_PHOTOS = sorted((_ROOT / "tagger" / "demo_data" / "images").glob("*.jpg"))
_WORDS = "a brown dog runs on the green grass while two small children watch from an old red bench".split()
_CAPTIONS = 2


def write_input(folder: pathlib.Path, count: int, side: int) -> None:
    """`count` different JPEGs and their captions.csv."""
    (folder / "images").mkdir(parents=True)
    bases = [np.asarray(Image.open(path).convert("RGB").resize((side, side))) for path in _PHOTOS]
    block = min(16, side // 2)
    with (folder / "captions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "caption"))
        for index in range(count):
            pixels = bases[index % len(bases)].copy()
            pixels[:block, :block] = np.random.default_rng(index).integers(0, 256, (block, block, 3), np.uint8)
            name = f"{index:07}.jpg"
            (folder / "images" / name).write_bytes(simplejpeg.encode_jpeg(pixels, quality=85, colorspace="RGB"))
            for number in range(_CAPTIONS):
                start = (index + 5 * number) % 9
                rows.writerow((name, " ".join(_WORDS[start:start + 8])))


def _rows(folder: pathlib.Path) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    with (folder / "captions.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            captions.setdefault(row["image"], []).append(row["caption"])
    return captions


def _checked(data: bytes, captions: list[str]) -> tuple[int, int, list[str]]:
    from records.images.validation import check_image
    from records.text.tokenizer import tags

    image = check_image(data)
    return image.height, image.width, [" ".join(tags(caption)) for caption in captions]


def ours(folder: pathlib.Path, target: pathlib.Path) -> dict[str, float]:
    """Seconds of the whole job and of its second pass."""
    from flags.make_records import MakeRecords
    from records import make_records

    seconds = {}
    write = make_records._write_shards

    def timed(*arguments):
        start = time.perf_counter()
        result = write(*arguments)
        seconds["write"] = time.perf_counter() - start
        return result

    make_records._write_shards = timed
    start = time.perf_counter()
    make_records.run(MakeRecords(images=str(folder / "images"), captions=str(folder / "captions.csv"),
                                 records_dir=str(target), backbone="none", split_fractions="train=1", name="bench",
                                 shards="train=8"))
    return {**seconds, "whole": time.perf_counter() - start}


def tfds_builder(folder: pathlib.Path, target: pathlib.Path, check: bool) -> dict[str, float]:
    """Seconds of GeneratorBasedBuilder.download_and_prepare on the same examples."""
    import tensorflow_datasets as tfds

    class Bench(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        MANUAL_DOWNLOAD_INSTRUCTIONS = ""
        pkg_dir_path = target

        def _info(self):
            text = tfds.features.Sequence(tfds.features.Text())
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
                "key": tfds.features.Text(), "image": tfds.features.Image(shape=(None, None, 3)),
                "height": tfds.features.Scalar(np.int64), "width": tfds.features.Scalar(np.int64),
                "captions": text, "tags": text, "tokens": tfds.features.Sequence(np.int64)}))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for name, captions in _rows(folder).items():
                path = folder / "images" / name
                height, width, tags = _checked(path.read_bytes(), captions) if check else (224, 224, captions)
                yield name, {"key": name, "image": str(path), "height": height, "width": width, "captions": captions,
                             "tags": tags, "tokens": list(range(3, 19))}

    builder = Bench(data_dir=str(target))
    start = time.perf_counter()
    builder.download_and_prepare()
    return {"whole": time.perf_counter() - start}


def webdataset_writer(folder: pathlib.Path, target: pathlib.Path, check: bool) -> dict[str, float]:
    """Seconds of webdataset.ShardWriter on the same examples."""
    import webdataset

    target.mkdir()
    start = time.perf_counter()
    with webdataset.ShardWriter(str(target / "shard-%05d.tar"), maxsize=1e9, verbose=0) as writer:
        for name, captions in _rows(folder).items():
            data = (folder / "images" / name).read_bytes()
            height, width, tags = _checked(data, captions) if check else (224, 224, captions)
            writer.write({"__key__": name.removesuffix(".jpg"), "jpg": data, "json": {
                "key": name, "height": height, "width": width, "captions": captions, "tags": tags,
                "tokens": list(range(3, 19))}})
    return {"whole": time.perf_counter() - start}


_JOBS = {
    "ours": ours,
    "tfds": lambda folder, target: tfds_builder(folder, target, False),
    "tfds, checked": lambda folder, target: tfds_builder(folder, target, True),
    "webdataset": lambda folder, target: webdataset_writer(folder, target, False),
    "webdataset, checked": lambda folder, target: webdataset_writer(folder, target, True),
}


def _in_own_process(job: str, folder: pathlib.Path, target: pathlib.Path) -> dict[str, float]:
    result = subprocess.run([sys.executable, "-m", "benchmarks.records", f"--job={job}", f"--folder={folder}",
                             f"--target={target}"], cwd=_ROOT, text=True, capture_output=True, check=False,
                            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    if result.returncode:
        raise SystemExit(f"{job}: {result.stderr[-2000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def _remove(folder: pathlib.Path) -> None:
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def _table(head: list[str], rows: list[list[str]]) -> None:
    for row in [head, ["---"] * len(head), *rows]:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def writing(scratch: pathlib.Path, photos: int, repeats: int) -> None:
    """Prints examples/s of every contender, and our ratios."""
    folder = scratch / "writing"
    write_input(folder, photos, 224)
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        for job in _JOBS:
            for part, value in _in_own_process(job, folder, scratch / "out").items():
                seconds.setdefault(f"{job}, {part}", []).append(value)
            _remove(scratch / "out")
    rate = {name: photos / statistics.median(values) for name, values in seconds.items()}
    pairs = [("write alone", "ours, write", "tfds, whole"), ("write alone", "ours, write", "webdataset, whole"),
             ("whole job, same checks", "ours, whole", "tfds, checked, whole"),
             ("whole job, same checks", "ours, whole", "webdataset, checked, whole"),
             ("whole job, peer unchecked", "ours, whole", "tfds, whole"),
             ("whole job, peer unchecked", "ours, whole", "webdataset, whole")]
    _table(["photos without features", "peer", "ours, examples/s", "peer, examples/s", "ratio"],
           [[what, peer.removesuffix(", whole"), f"{rate[mine]:,.0f}", f"{rate[peer]:,.0f}",
             f"{rate[mine] / rate[peer]:.2f}"] for what, mine, peer in pairs])
    _remove(folder)


def verifying(scratch: pathlib.Path, photos: int, repeats: int) -> None:
    """Prints MB/s of verify_records and of sha256sum."""
    from records.util.process_pool import cpus

    folder = scratch / "verifying"
    write_input(folder, photos, 224)
    ours(folder, scratch / "records")
    files = sorted(path for path in (scratch / "records").iterdir() if path.name != "manifest.json")
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    commands = {
        "verify_records": [sys.executable, "main.py", "--mode=verify_records", f"--records_dir={scratch / 'records'}"],
        "verify_records --workers=1": [sys.executable, "main.py", "--mode=verify_records", "--workers=1",
                                       f"--records_dir={scratch / 'records'}"],
        "sha256sum": ["sha256sum", *map(str, files)],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, cwd=_ROOT, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    rate = {name: megabytes / statistics.median(values) for name, values in seconds.items()}
    _table([f"verifying {megabytes:,.0f} MB, {cpus()} CPUs, process start included", "MB/s", "over sha256sum"],
           [[name, f"{value:,.0f}", f"{value / rate['sha256sum']:.2f}"] for name, value in rate.items()])
    _remove(folder)
    _remove(scratch / "records")


_MEMORY = """
import json, resource, sys
from flags.make_records import MakeRecords
from records.make_records import run
if __name__ == "__main__":
    run(MakeRecords(images=sys.argv[1] + "/images", captions=sys.argv[1] + "/captions.csv", backbone="none",
                    records_dir=sys.argv[1] + "/records", split_fractions="train=1", shards="train=2", workers=2))
    print(json.dumps([resource.getrusage(who).ru_maxrss / 1024
                      for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]))
"""


def memory(scratch: pathlib.Path, counts: list[int]) -> None:
    """Prints peak resident memory of the main process and of its largest worker, by number of photos."""
    rows, first = [], 0.0
    script = scratch / "memory.py"
    script.write_text(_MEMORY)
    for count in counts:
        folder = scratch / f"memory-{count}"
        write_input(folder, count, 32)
        start = time.perf_counter()
        result = subprocess.run([sys.executable, str(script), str(folder)], check=True, text=True,
                                cwd=_ROOT, capture_output=True, env={**os.environ, "PYTHONPATH": str(_ROOT)})
        seconds = time.perf_counter() - start
        own, worker = json.loads(result.stdout.splitlines()[-1])
        first = first or own + worker
        rows.append([f"{count:,}", f"{own:.0f}", f"{worker:.0f}", f"{(own + worker) / first:.2f}",
                     f"{count / seconds:,.0f}"])
        _remove(folder)
    _table(["photos", "main process, MiB", "largest worker, MiB", "sum over the first row", "photos/s"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="1000,10000,100000", help="numbers of photos; empty: skip")
    parser.add_argument("--only", choices=["writing", "verifying", "memory"])
    parser.add_argument("--job", choices=list(_JOBS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--target", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(json.dumps(_JOBS[arguments.job](pathlib.Path(arguments.folder), pathlib.Path(arguments.target))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        scratch = pathlib.Path(temporary)
        if arguments.only in (None, "writing"):
            writing(scratch, arguments.photos, arguments.repeats)
        if arguments.only in (None, "verifying"):
            verifying(scratch, arguments.photos, arguments.repeats)
        if arguments.only in (None, "memory") and arguments.memory:
            memory(scratch, [int(count) for count in arguments.memory.split(",")])


if __name__ == "__main__":
    main()
