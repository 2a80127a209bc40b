"""What make_records costs on a cluster: python -m benchmarks.cluster [--photos=30000] [--captions=5]

The same photos of 32 px, one in twenty bad and one in fifty a twin, converted by the local runner, by Apache Beam's
DirectRunner in two processes and by its DaskRunner on a scheduler and three workers, one of which is killed in the
middle. With --keywords the table is JSON lines that also have a row of keywords for each photo and a column of splits,
which part half of the twins, and one row in twenty is bad too. Rows per second of processor time, of all processes
together; peak memory of the process that starts it; whether the files are the same. Nothing is timed alone: processor
time does not depend on what else runs.

Needs the extra [dask].
"""

import argparse
import csv
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator

import numpy as np
import simplejpeg

from benchmarks.dask_cluster import dask_cluster
from records.format import manifest as manifests

_ROOT = pathlib.Path(__file__).parents[1]
_WORDS = "a brown dog runs on the green grass while two small children watch from an old red bench".split()
_KEYWORDS = ["dog", "Dog", "golden retriever", "green grass", "bench", "New York", "children", "traffic light", "bus"]
_FLAGS = ("--backbone=none", "--name=photos", "--max_rejected=20%", "--shards=train=32")
_TABLE = "captions.table"


def write_photos(folder: pathlib.Path, count: int) -> Iterator[str]:
    """The names of `count` photos, as they are written."""
    rng = np.random.default_rng(0)
    for index in range(count):
        name = f"{index % 256:02x}/{index:07}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if index % 50 != 49:  # else a twin of the photo before
            data = simplejpeg.encode_jpeg(rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(4, 0).repeat(4, 1), 85)
        path.write_bytes(data[:200] if index % 20 == 7 else data)
        yield name


def _caption(index: int, number: int) -> str:
    start = (index + 5 * number) % 9
    return " ".join(_WORDS[start:start + 4 + index % 6])


def write_captions(path: pathlib.Path, names: Iterable[str], captions: int) -> int:
    """A CSV table; the number of its rows."""
    rows = 0
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image", "caption"))
        for index, name in enumerate(names):
            for number in range(captions):
                table.writerow((name, _caption(index, number)))
                rows += 1
    return rows


def write_keywords(path: pathlib.Path, names: Iterable[str], captions: int) -> int:
    """JSON lines of captions and keywords, one in twenty without a caption or without a photo; the number of rows."""
    rows = 0
    with path.open("w") as file:
        for index, name in enumerate(names):
            of_photo: list[dict[str, object]] = [{"caption": _caption(index, number)} for number in range(captions)]
            of_photo.append({"tags": [_KEYWORDS[(index * step) % len(_KEYWORDS)] for step in range(1, 2 + index % 4)]})
            for row in of_photo:
                row = {"image": name, **row, "split": ("train", "train", "val", "test")[index % 4]}
                if rows % 20 == 3:
                    row |= ({"caption": ""}, {"image": f"absent/{rows}.jpg"}, {"image": f"../{name}"})[rows % 3]
                file.write(f"{json.dumps(row)}\n")
                rows += 1
    return rows


def _cpu(process: int) -> float:
    """Seconds of processor time of a running process."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _convert(folder: pathlib.Path, name: str, *flags: str) -> tuple[float, float, int]:
    """Processor seconds of the process and its children, seconds, and peak memory in bytes of the process alone."""
    command = [sys.executable, "main.py", "--mode=make_records", f"--images={folder / 'images'}",
               f"--captions={folder / _TABLE}", f"--records_dir={folder / name}", *_FLAGS, *flags]
    before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            peak = max([peak, *(int(line.split()[1]) << 10 for line in status.splitlines() if line[:5] == "VmHWM")])
            time.sleep(0.2)
        if process.wait():
            raise SystemExit((folder / f"{name}.log").read_text())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - start, peak


def _on_dask(folder: pathlib.Path, kill: bool) -> tuple[float, float, int]:
    with dask_cluster(folder, 3) as (beam_args, workers):
        killed = list[float]()

        def lose_a_worker() -> None:
            while len(list((folder / "dask").glob(".make_records/cluster-*/photos-*.json"))) < 3:
                time.sleep(0.05)
            killed.append(_cpu(workers[0].pid))
            workers[0].kill()

        if kill:
            threading.Thread(target=lose_a_worker, daemon=True).start()
        cpu, seconds, peak = _convert(folder, "dask", "--runner=beam", f"--beam_args={beam_args}")
        cpu += sum(_cpu(worker.pid) for worker in workers[kill:]) + sum(killed)
        return cpu, seconds, peak


def _hash(folder: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=30_000)
    parser.add_argument("--captions", type=int, default=5)
    parser.add_argument("--keywords", action="store_true", help="keywords, splits and bad rows in the table too")
    parser.add_argument("--only", default="local,direct,dask")
    parser.add_argument("--undisturbed", action="store_true", help="no worker is killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write = write_keywords if options.keywords else write_captions
        rows = write(folder / _TABLE, write_photos(folder / "images", options.photos), options.captions)
        print(f"{options.photos:,} photos, {rows:,} rows, {(folder / _TABLE).stat().st_size / 1e6:.1f} MB",
              flush=True)
        for name in options.only.split(","):
            if name == "dask":
                cpu, seconds, peak = _on_dask(folder, not options.undisturbed)
            else:
                direct = "--beam_args=--direct_num_workers=2 --direct_running_mode=multi_processing"
                cpu, seconds, peak = _convert(folder, name, *(("--runner=beam", direct) if name == "direct" else ()))
            print(f"{name:8} {rows / cpu:8,.0f} rows per CPU second ({cpu:,.0f} s), {seconds:6,.0f} s on the clock, "
                  f"{peak / 1e6:6,.0f} MB at most in the first process, files {_hash(folder / name)}", flush=True)
            manifest = manifests.load(folder / name)
        print(f"{manifest.rejected.total:,} lines in rejected.jsonl, {manifest.duplicates_merged:,} duplicates merged")


if __name__ == "__main__":
    main()
