"""Features per second on this machine, each way against the others: python -m benchmarks.features --weights=PATH

    notebook           load_img and predict, one photo at a time
    predict            Keras's predict on a batch in memory
    function           the same network as a tf.function, batch in memory
    bare backbone      what the Extractor computes: batch norm folded, weights constant, batch in memory
    extractor          the whole way from JPEG bytes to float16 features
    make_records       the whole job: check every photo, plan, features, shards on disk; its weights loaded before
    bfloat16           the bare backbone with --backbone_precision=bfloat16, where this machine has arithmetic for it
    make_records bfloat16   likewise

Runs alternate; medians. CPU time per image is shown too: it hardly moves when other programs run beside this one.
Compare TF_ENABLE_ONEDNN_OPTS=1 and 0 in the environment; TensorFlow's own default depends on the CPU.
"""

import argparse
import contextlib
import functools
import io
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import simplejpeg
import tensorflow as tf

from flags.make_records import MakeRecords
from records import make_records
from records.backbones import keras_applications
from records.backbones.feature_extractor import BATCH_SIZE, Extractor
from records.backbones.registry import load_backbone, slow_precision
from records.images.decoding import decode_batch

_DEMO = pathlib.Path(__file__).parents[1] / "tagger" / "demo_data" / "images"


def photos(folder: pathlib.Path, count: int) -> list[bytes]:
    """`count` different JPEGs: those of the folder, and then the same with a corner of noise."""
    paths = sorted(folder.glob("*.jpg"))
    files = [path.read_bytes() for path in paths[:count]]
    for index in range(len(files), count):
        pixels = simplejpeg.decode_jpeg(files[index % len(paths)]).copy()
        pixels[:16, :16] = np.random.default_rng(index).integers(0, 256, (16, 16, 3), np.uint8)
        files.append(simplejpeg.encode_jpeg(pixels, quality=85))
    return files


def write_input(folder: pathlib.Path, files: list[bytes]) -> None:
    """The photos and five captions each, for make_records."""
    (folder / "images").mkdir()
    rows = ["image,caption"]
    for index, data in enumerate(files):
        (folder / "images" / f"{index:05}.jpg").write_bytes(data)
        rows += [f"{index:05}.jpg,a dog runs after ball number {number} on the grass" for number in range(5)]
    (folder / "captions.csv").write_text("\n".join(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50", choices=keras_applications.names())
    parser.add_argument("--weights", default="", help="weights file; random weights when absent (no slower)")
    parser.add_argument("--images", type=pathlib.Path, default=_DEMO, help="folder of JPEGs")
    parser.add_argument("--batches", type=int, default=4, help="batches of 32 in a run")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(arguments, pathlib.Path(scratch))


def measure(arguments: argparse.Namespace, scratch: pathlib.Path) -> None:
    """Prints the table."""
    encoder = keras_applications.application(arguments.backbone, arguments.weights)
    model, weights = encoder.build(), arguments.weights
    if not weights:
        weights = str(scratch / "random.weights.h5")
        model.save_weights(weights)
    files = photos(arguments.images, BATCH_SIZE * arguments.batches)
    write_input(scratch, files)
    batches = [decode_batch(files[i:i + BATCH_SIZE], encoder.image_size)[0] for i in range(0, len(files), BATCH_SIZE)]
    ready = [encoder.preprocess(batch).numpy() for batch in batches]
    extractor = Extractor(load_backbone(encoder.name, weights))
    function = tf.function(lambda images: model(encoder.preprocess(images), training=False))
    bare = extractor.backbone.frozen(BATCH_SIZE)

    def notebook() -> np.ndarray:
        features, square = [], (encoder.image_size, encoder.image_size)
        for data in files[:BATCH_SIZE]:
            image = keras.utils.img_to_array(keras.utils.load_img(io.BytesIO(data), target_size=square))
            features.append(model.predict(encoder.preprocess(tf.constant(image[None])).numpy(), verbose=0)[0])
        return np.stack(features)

    def each(compute: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[], np.ndarray]:
        return lambda: np.concatenate([compute(batch).numpy() for batch in batches])

    def records(precision: str) -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            make_records.run(MakeRecords(
                images=str(scratch / "images"), captions=str(scratch / "captions.csv"), overwrite=True, name="bench",
                records_dir=str(scratch / "records"), backbone=encoder.name, backbone_weights=weights,
                backbone_precision=precision, split_fractions="train=1"))
        shards = tf.data.TFRecordDataset(sorted(map(str, (scratch / "records").glob("*.tfrecord-*"))))
        examples = [tf.train.Example.FromString(data).features.feature for data in shards.as_numpy_iterator()]
        by_key = {e["key"].bytes_list.value[0]: e["feature"].bytes_list.value[0] for e in examples}
        return np.stack([np.frombuffer(by_key[key], "<f2") for key in sorted(by_key)])

    ways: dict[str, Callable[[], np.ndarray]] = {
        "notebook": notebook,
        "predict": lambda: np.concatenate([model.predict(batch, batch_size=BATCH_SIZE, verbose=0) for batch in ready]),
        "function": each(function),
        "bare backbone": each(bare),
        "extractor": lambda: np.stack([feature for feature in extractor.features(files) if feature is not None]),
        "make_records": functools.partial(records, "float32"),
    }
    if slow_precision("bfloat16") is None:
        ways["bfloat16"] = each(load_backbone(encoder.name, weights, "bfloat16").frozen(BATCH_SIZE))
        ways["make_records bfloat16"] = functools.partial(records, "bfloat16")
    expected = ways["function"]()
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    found = {name: way() for name, way in ways.items()}  # the first call traces
    for _ in range(arguments.runs):
        for name, way in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            way()
            wall[name].append((time.perf_counter() - start) / len(found[name]))
            cpu[name].append((time.process_time() - busy) / len(found[name]))
    seconds = {name: statistics.median(times) for name, times in wall.items()}
    print(f"{encoder.name}, batches of {BATCH_SIZE}, {len(files)} photos, median of {arguments.runs} alternating runs")
    print()
    print("| way | images/s | CPU ms per image | over notebook | over predict | over bare backbone | relative L2 |")
    print("|---|---|---|---|---|---|---|")
    for name in ways:
        count = len(found[name])
        error = np.linalg.norm(found[name].astype("f4") - expected[:count]) / np.linalg.norm(expected[:count])
        ratios = " | ".join(f"{seconds[peer] / seconds[name]:.2f}" for peer in ("notebook", "predict", "bare backbone"))
        busy = statistics.median(cpu[name]) * 1e3
        print(f"| {name} | {1 / seconds[name]:.1f} | {busy:.1f} | {ratios} | {error:.1e} |")


if __name__ == "__main__":
    main()
