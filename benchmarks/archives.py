"""Converting archives against a folder of the same photos: python -m benchmarks.archives [--photos=20000]

make_records from the command line, its start included, on the same photos and captions as a folder with a CSV table,
as tars (of 1,000 photos with .txt and .json, as img2dataset writes them) and as one Parquet file (as Hugging Face
writes it): photos per second, medians of alternating runs, and the ratio to the folder.

    --backbone=mobilenet_v2 --backbone_weights=FILE      with features; default: none

Peer: pip install 'pyarrow>=17'.
"""

import argparse
import csv
import io
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

from benchmarks.records import write_input

_ROOT = pathlib.Path(__file__).parents[1]
_PER_TAR, _PER_ROW_GROUP = 1000, 100


def _texts(folder: pathlib.Path) -> dict[str, str]:
    """One caption of each photo, and the table that has no other."""
    with (folder / "captions.csv").open(newline="") as file:
        texts = {row["image"]: row["caption"] for row in csv.DictReader(file)}
    with (folder / "captions.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *texts.items()])
    return texts


def write_tars(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """folder/00000.tar, …"""
    for start in range(0, len(texts), _PER_TAR):
        with tarfile.open(folder / f"{start // _PER_TAR:05d}.tar", "w") as tar:
            for name, text in list(texts.items())[start:start + _PER_TAR]:
                stem = name.removesuffix(".jpg")
                about = json.dumps({"caption": text, "key": stem, "status": "success", "width": 224, "height": 224})
                for suffix, data in ((".jpg", (folder / "images" / name).read_bytes()), (".txt", text.encode()),
                                     (".json", about.encode())):
                    member = tarfile.TarInfo(stem + suffix)
                    member.size, member.mtime = len(data), time.time()  # a fraction needs a pax header
                    tar.addfile(member, io.BytesIO(data))


def write_parquet(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """folder/photos.parquet"""
    import pyarrow
    from pyarrow import parquet

    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema([("image", kind), ("text", pyarrow.string())])
    names = list(texts)
    with parquet.ParquetWriter(folder / "photos.parquet", schema) as writer:
        for start in range(0, len(names), _PER_ROW_GROUP):
            some = names[start:start + _PER_ROW_GROUP]
            images = [{"bytes": (folder / "images" / name).read_bytes(), "path": name} for name in some]
            writer.write_table(pyarrow.table({"image": images, "text": [texts[name] for name in some]}, schema=schema))


def seconds(source: list[str], flags: list[str], target: pathlib.Path) -> float:
    """What one make_records takes, from the start of its process to its end."""
    subprocess.run(["rm", "-rf", str(target)], check=True)
    start = time.perf_counter()
    subprocess.run([sys.executable, "main.py", "--mode=make_records", *source, *flags, f"--records_dir={target}",
                    "--split_fractions=train=1"], cwd=_ROOT, check=True, capture_output=True,
                   env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--backbone_weights", default="")
    arguments = parser.parse_args()
    flags = [f"--backbone={arguments.backbone}"]
    flags += [f"--backbone_weights={arguments.backbone_weights}"] * bool(arguments.backbone_weights)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "photos"
        write_input(folder, arguments.photos, 224)
        texts = _texts(folder)
        write_tars(folder, texts)
        write_parquet(folder, texts)
        sources = {"folder and table": [f"--images={folder / 'images'}", f"--captions={folder / 'captions.csv'}"],
                   "tars": [f"--captions=webdataset:{folder}/*.tar"],
                   "Parquet": [f"--captions=parquet:{folder}/photos.parquet"],
                   "tars, --images given": [f"--captions=webdataset:{folder}/*.tar", f"--images={folder / 'unpacked'}"]}
        times: dict[str, list[float]] = {name: [] for name in sources}
        for _ in range(arguments.repeats):
            for name, source in sources.items():
                times[name].append(seconds(source, flags, pathlib.Path(temporary) / "records"))
                subprocess.run(["rm", "-rf", str(folder / "unpacked")], check=True)
    rate = {name: arguments.photos / statistics.median(values) for name, values in times.items()}
    print("| photos as | photos/s | over the folder |\n|---|---|---|")
    for name, value in rate.items():
        print(f"| {name} | {value:,.0f} | {value / rate['folder and table']:.2f} |")


if __name__ == "__main__":
    main()
