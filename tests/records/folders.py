"""Records folders of any size made directly, without photos, for tests and benchmarks of what reads them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from records import manifest as manifest_lib


def example(key: str, feature: np.ndarray | None, captions: Sequence[Sequence[int]], image: bytes | None = None) -> bytes:
    """A serialized record; captions are lists of word ids without <end>."""
    texts = [" ".join(f"w{i}" for i in words) for words in captions]

    def strings(values: Sequence[str]) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in values]))

    def numbers(values: Sequence[int]) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {
        "key": strings([key]), "height": numbers([4]), "width": numbers([6]), "captions": strings(texts),
        "tags": strings(texts), "tokens": numbers([i for words in captions for i in [*words, 1]]),
    }
    if feature is not None:
        features["feature"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[feature.astype("<f2").tobytes()]))
    if image is not None:
        features["image"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def write(folder: Path, splits: dict[str, list[list[list[list[int]]]]], feature_size: int | None = 8,
          vocabulary_size: int = 100, image: bytes | None = None) -> Path:
    """A finished records folder; splits[name][shard][record] is the record's list of captions.

    Record r of shard s has the key "NAME/s/r" and a feature that starts with (s, r).
    """
    folder.mkdir(parents=True)
    infos = {}
    for name, shards in splits.items():
        shard_infos = []
        for s, records in enumerate(shards):
            file = f"test-{name}.tfrecord-{s:05d}-of-{len(shards):05d}"
            with tf.io.TFRecordWriter(str(folder / file)) as writer:
                for r, captions in enumerate(records):
                    feature = None
                    if feature_size is not None:
                        feature = np.zeros(feature_size)
                        feature[:2] = s + 1, r
                    writer.write(example(f"{name}/{s}/{r}", feature, captions, image))
            data = (folder / file).read_bytes()
            lengths = [len(c) + 1 for record in records for c in record]
            shard_infos.append(manifest_lib.ShardInfo(
                file, len(data), hashlib.sha256(data).hexdigest(), len(records), len(lengths), sum(lengths)))
        longest = max((len(c) + 1 for shard in shards for record in shard for c in record), default=0)
        infos[name] = manifest_lib.SplitInfo(
            sum(s.examples for s in shard_infos), sum(s.captions for s in shard_infos),
            sum(s.tokens for s in shard_infos), longest, tuple(shard_infos))
    backbone = None
    if feature_size is not None:
        backbone = manifest_lib.BackboneInfo("resnet50", "imagenet", "0" * 64, feature_size, 224, "caffe", "float32")
    manifest_lib.save(folder, manifest_lib.Manifest(
        name="test", target="captions", seed=0, created_with={}, flags={}, backbone=backbone,
        vocabulary_size=vocabulary_size, min_count=1, max_words=0, max_caption_words=50, splits=infos, files={},
        duplicates_merged=0, rejected=manifest_lib.Rejected(0, {})))
    return folder
