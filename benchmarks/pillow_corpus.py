"""make_records on the images of Pillow's own tests, which collect every oddity its users ever reported.

    pip download --no-binary :all: --no-deps pillow==VERSION && tar xf pillow-VERSION.tar.gz
    python -m benchmarks.pillow_corpus pillow-VERSION/Tests/images

Prints how many are accepted and rejected, and why; every accepted one is decoded again by TensorFlow from the
shard. Exits with 1 when a row is unaccounted for. The images stay where they are: they are no part of this project.
"""

import collections
import csv
import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(folder: str) -> int:
    import tensorflow as tf

    from flags.make_records import MakeRecords
    from records.format import manifest as manifests
    from records.make_records import run

    images = pathlib.Path(folder)
    names = sorted(str(path.relative_to(images)) for path in images.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as temporary:
        table = pathlib.Path(temporary) / "captions.csv"
        with table.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            csv.writer(file).writerows([("image", "caption"), *((name, f"image {name}") for name in names)])
        records = pathlib.Path(temporary) / "records"
        run(MakeRecords(images=folder, captions=str(table), records_dir=str(records), backbone="none",
                        split_fractions="train=1"))
        manifest = manifests.load(records)
        lines = [json.loads(line) for line in (records / "rejected.jsonl").read_text().splitlines()]
        captions = manifest.splits["train"].captions
        decoded = 0
        for data in tf.data.TFRecordDataset([str(path) for path in records.glob("*.tfrecord-*")]).as_numpy_iterator():
            feature = tf.train.Example.FromString(data).features.feature
            image = tf.io.decode_image(feature["image"].bytes_list.value[0], channels=3, expand_animations=False)
            decoded += image.shape == (feature["height"].int64_list.value[0], feature["width"].int64_list.value[0], 3)
    for reason, count in collections.Counter(line["reason"].partition(":")[0] for line in lines).most_common():
        print(f"{count:5}  {reason}")
    examples = manifest.splits["train"].examples
    print(f"{len(names)} files: {captions} accepted as {examples} examples ({manifest.duplicates_merged} show the "
          f"picture of another), {decoded} of them decoded by TensorFlow; {len(lines)} rejected")
    return int(captions + len(lines) != len(names) or decoded != examples)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
