"""What bulk tagging costs beside the network: python -m benchmarks.tagging --export_dir=DIR --images=FOLDER

    bare backbone      the export's backbone on decoded batches of 32 in memory, and nothing after it
    from a folder      --mode=tag --output from files to shards of answers: read, decode, backbone, beam search, tags
    from features      the same from a records folder that has the features

Photos per second of processor time and by the clock, medians of alternating rounds without loading the model. Then
the memory that names take: peak of a process that finds and plans 1,000 and 100,000 of them.
"""

import argparse
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from etils import epath

from benchmarks import pipeline_data
from flags.tag import Tag
from records.backbones.registry import load_backbone
from records.format import manifest as manifests
from records.images.decoding import decode_batch
from tagger.saved_model import backbone_info
from tagger.saved_model.versions import newest
from tagger.tagging.names import find_names, in_order, write_names
from tagger.tagging.output import Output
from tagger.tagging.shards import job_of, write_shards

_BATCH, _RECORDS = 32, 1024
_NAMES = """
import itertools, sys
from tagger.tagging.names import find_names, in_order, write_names
folder, number = sys.argv[1], 0
names = in_order(find_names(folder + "/list"), folder)
while shard := list(itertools.islice(names, 4096)):
    write_names(f"{folder}/plan-{number}", shard)
    number += 1
(peak,) = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak.split()[1]) / 1024)
"""


def _ways(arguments: argparse.Namespace, scratch: pathlib.Path) -> dict[str, tuple[int, Callable[[], object]]]:
    """What is measured: photos, and a function that goes through them."""
    saved_model = newest(arguments.export_dir)
    info = backbone_info.read(saved_model)
    assert info is not None, "the export does not say which backbone it has"
    files = sorted(arguments.images.glob("*.jpg"))[:_BATCH * arguments.batches]
    decoded = [decode_batch([path.read_bytes() for path in files[at:at + _BATCH]], info.image_size)[0]
               for at in range(0, len(files), _BATCH)]
    views = "flip" if "flip" in info.preprocessing else "one"
    bare = load_backbone(info.name, info.weights, info.precision, views).frozen(_BATCH)
    (scratch / "list").write_text("".join(f"{path.resolve()}\n" for path in files))

    def job(images: str, name: str):
        config = Tag(export_dir=arguments.export_dir, images=images, output=str(scratch / name))
        output = Output(config.output, "jsonl")
        folder, shards = output.begin_plan(), list[int]()
        if name == "files":
            names = list(in_order(find_names(images), folder))
            write_names(output.plan(0), names)
            shards = [len(names)]
        output.end_plan({"shards": shards})
        asked = job_of(config, epath.Path(saved_model), output)
        return lambda: list(write_shards(asked, range(len(asked.shards)), output, False, lambda count: None))

    records = scratch / "records"
    pipeline_data.write_records(records, pipeline_data.synthetic_captions(_RECORDS), feature_size=info.feature_size)
    manifests.save(records, dataclasses.replace(manifests.load(records), backbone=info))
    return {"bare backbone": (len(files), lambda: [bare(batch).numpy() for batch in decoded]),
            "from a folder": (len(files), job(str(scratch / "list"), "files")),
            "from features": (_RECORDS, job(str(records), "features"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export_dir", required=True)
    parser.add_argument("--images", type=pathlib.Path, required=True)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        ways = _ways(arguments, pathlib.Path(temporary))
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(arguments.rounds + 1):  # the first traces
            for name, (photos, way) in ways.items():
                start, busy = time.perf_counter(), time.process_time()
                way()
                taken = (time.process_time() - busy) / photos, (time.perf_counter() - start) / photos
                seconds[name] += [taken] * (number > 0)
        print("| way | photos per CPU second | over the bare backbone | photos/s | over the bare backbone |")
        print("|---|---|---|---|---|")
        medians = {name: [statistics.median(column) for column in zip(*times, strict=True)]
                   for name, times in seconds.items()}
        for name, (cpu, wall) in medians.items():
            base = medians["bare backbone"]
            print(f"| {name} | {1 / cpu:,.1f} | {base[0] / cpu:.2f} | {1 / wall:,.1f} | {base[1] / wall:.2f} |")
    for count in (1000, 100_000):
        with tempfile.TemporaryDirectory() as temporary:
            names = (f"/photos/{number % 97:02}/{number:012}.jpg\n" for number in range(count))
            pathlib.Path(temporary, "list").write_text("".join(names))
            result = subprocess.run([sys.executable, "-c", _NAMES, temporary], capture_output=True, text=True,
                                    check=True)
            print(f"{count:,} names: {float(result.stdout):,.0f} MB at most")


if __name__ == "__main__":
    main()
