"""Records folders made directly, without photos and backbones, for tests of what reads them."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from records.format import manifest as manifest_lib
from records.format.example import Example, encode
from records.format.layout import shard_file
from records.format.tfds_metadata import dataset_info_json, features_json
from records.format.tfrecord import frame, walk

Captions = list[list[int]]  # of one image: word ids without <end>


def random_split(seed: int, shards: list[int], vocabulary_size: int = 100) -> list[list[Captions]]:
    """Shards with so many records each, of 1 to 6 captions of 0 to 14 words."""
    rng = np.random.default_rng(seed)
    return [[[rng.integers(2, vocabulary_size, rng.integers(0, 15)).tolist() for _ in range(rng.integers(1, 7))]
             for _ in range(records)] for records in shards]


def feature(shard: int, record: int, size: int) -> np.ndarray:
    """A feature that tells which record it is of: float16 [size], starting with shard + 1 and record."""
    return np.array([shard + 1, record, *range(2, size)], "<f2")


def write(folder: Path, splits: dict[str, list[list[Captions]]], feature_size: int | None = 4,
          vocabulary_size: int = 100, image: bytes | None = None) -> Path:
    """A finished records folder with the given splits, each a list of shards; record r of shard s is "NAME/s/r"."""
    folder.mkdir(parents=True)
    infos = {}
    for name, shards in splits.items():
        written = []
        for s, records in enumerate(shards):
            lengths = [len(caption) + 1 for record in records for caption in record]
            data = b"".join(frame(encode(Example(
                f"{name}/{s}/{r}", image, 4, 6, feature(s, r, feature_size).tobytes() if feature_size else None,
                [" ".join(f"w{i}" for i in caption) for caption in captions],
                [" ".join(f"t{i}" for i in caption) for caption in captions],
                [i for caption in captions for i in [*caption, 1]]))) for r, captions in enumerate(records))
            file = shard_file("test", name, s, len(shards))
            (folder / file).write_bytes(data)
            written.append(manifest_lib.ShardInfo(
                file, len(data), hashlib.sha256(data).hexdigest(), len(records), len(lengths), sum(lengths)))
        longest = max((len(caption) + 1 for shard in shards for record in shard for caption in record), default=0)
        infos[name] = manifest_lib.SplitInfo(
            sum(s.examples for s in written), sum(s.captions for s in written), sum(s.tokens for s in written),
            longest, tuple(written))
    files = {"features.json": features_json(feature_size, image is not None),
             "dataset_info.json": dataset_info_json("test", infos)}
    for file, text in files.items():
        (folder / file).write_text(text)
    backbone = feature_size and manifest_lib.BackboneInfo(
        "resnet50", "imagenet", "0" * 64, feature_size, 224, "caffe", "float32")
    manifest_lib.save(folder, manifest_lib.Manifest(
        name="test", target="captions", seed=0, created_with={}, flags={}, backbone=backbone or None,
        vocabulary_size=vocabulary_size, min_count=1, max_words=0, max_caption_words=50, splits=infos,
        files={file: manifest_lib.FileInfo(len(text), hashlib.sha256(text.encode()).hexdigest())
               for file, text in files.items()},
        duplicates_merged=0, rejected=manifest_lib.Rejected(0, {})))
    return folder


def set_train(folder: Path, **changes) -> None:
    """Other values in the manifest's train split, under a hash that fits."""
    manifest = manifest_lib.load(folder)
    train = dataclasses.replace(manifest.splits["train"], **changes)
    manifest_lib.save(folder, dataclasses.replace(manifest, splits={**manifest.splits, "train": train}))


def set_shard(folder: Path, number: int, data: bytes | None = None, **changes) -> str:
    """Other bytes in a shard of train, whose size the manifest then has, or other values there; the shard's name."""
    shards = list(manifest_lib.load(folder).splits["train"].shards)
    name = shards[number].file
    if data is not None:
        (folder / name).write_bytes(data)
        changes["bytes"] = len(data)
    shards[number] = dataclasses.replace(shards[number], **changes)
    set_train(folder, shards=tuple(shards), **{field: sum(getattr(shard, field) for shard in shards)
                                               for field in ("examples", "captions", "tokens")})
    return name


def first_records(folder: Path, number: int, count: int) -> bytes:
    """The first records of a shard of train."""
    path = folder / manifest_lib.load(folder).splits["train"].shards[number].file
    with path.open("rb") as file:
        end = [offset for offset, _ in walk(file)][count]
    return path.read_bytes()[:end]


def captions_of(split: str, shards: list[list[Captions]]) -> list[tuple[bytes, tuple[int, ...]]]:
    """(key, targets with <end>) of every caption, in stored order."""
    return [(f"{split}/{s}/{r}".encode(), (*caption, 1)) for s, records in enumerate(shards)
            for r, captions in enumerate(records) for caption in captions]
