"""What --precision=mixed_bfloat16 gives a trained model's answers: python -m benchmarks.half_precision --run_dir=DIR

    beam search             stored features of the run's validation photos to captions, width 3
    beam search and tags    what eval decodes, and what an export's `features` signature answers
    photos                  what tag does, of photos in memory: decoding, backbone, beam search, tags

Answers a second in both precisions, in turn, medians. How much faster bfloat16 is, is the median over rounds of the
ratio within one: of busy processors it is the number to read. The backbone's float32 is the arithmetic that the run's
records were made in.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from flags.choices import PRECISIONS
from flags.export import Export
from records.input.shard_reader import images, open_split
from tagger.decoding.changed_captions import ChangedCaptions
from tagger.export import networks
from tagger.runs.validation_photos import validation_photos
from tagger.saved_model.signatures import CHUNK, ServingModel

Way = Callable[[], list[str]]


def _ways(arguments: argparse.Namespace, precision: str) -> dict[str, Way]:
    """Each answers about all photos, with their captions."""
    runs, backbone, decoder = networks(
        Export(run_dir=arguments.run_dir, export_dir="unused", backbone_weights=arguments.backbone_weights), precision)
    split = open_split(arguments.records_dir or runs[0].config.records_dir, runs[0].config.validation_split)
    examples = images(split, read_image=False).take(arguments.captions).as_numpy_iterator()
    features = np.stack([example["feature"] for example in examples])
    photos = validation_photos(arguments.run_dir, runs[0], arguments.photos).images

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16)])
    def search(feature: tf.Tensor) -> tf.Tensor:
        return decoder.text(decoder.search(feature).tokens[:, 0])

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None, split.feature_size], tf.float16)])
    def answer(feature: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        decoded = decoder.decode(feature)
        return decoder.text(decoded.tokens), decoded.tag_scores

    serve = ServingModel(backbone, decoder).signatures(3, 0.7, 0.0)["serving_default"]

    def each(function: Callable, rows: Sequence, size: int) -> Way:
        return lambda: [text for at in range(0, len(rows), size) for text in function(rows[at:at + size]).numpy()]

    ways = {"beam search": each(search, features, arguments.batch_size),
            "beam search and tags": each(lambda rows: answer(rows)[0], features, arguments.batch_size)}
    if photos:
        ways["photos"] = each(lambda rows: serve(image_bytes=tf.constant(rows))["caption"], photos, CHUNK)
    return ways


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--records_dir", default="", help="with the run's features; default: those of its config.json")
    parser.add_argument("--backbone_weights", default="")
    parser.add_argument("--captions", type=int, default=1000, help="answers from features")
    parser.add_argument("--photos", type=int, default=96)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="ways with this in their name")
    arguments = parser.parse_args()
    exact, half = (_ways(arguments, precision) for precision in PRECISIONS)
    print("| | float32, answers/s | mixed_bfloat16, answers/s | faster by | captions that differ |")
    print("|---|---:|---:|---:|---:|", flush=True)
    for name in exact:
        if arguments.only not in name:
            continue
        answers = [way() for way in (exact[name], half[name])]  # and traces
        seconds: list[list[float]] = []
        for _ in range(arguments.rounds):
            seconds.append([])
            for way in (exact[name], half[name]):
                start = time.perf_counter()
                way()
                seconds[-1].append(time.perf_counter() - start)
        rates = [len(answers[0]) / statistics.median(column) for column in zip(*seconds, strict=True)]
        faster = statistics.median(before / after for before, after in seconds)
        changed = ChangedCaptions.between(answers[1], answers[0])
        print(f"| {name} | {rates[0]:,.0f} | {rates[1]:,.0f} | {faster:.2f} | {changed.changed:,} of "
              f"{changed.photos:,} |", flush=True)


if __name__ == "__main__":
    main()
