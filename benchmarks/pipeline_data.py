"""The same features and captions in the form that each input pipeline likes best."""

import dataclasses
import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np

from records.format import manifest as manifest_lib
from records.format.example import Example, encode
from records.format.tfds_metadata import dataset_info_json, features_json
from records.format.tfrecord import frame
from records.text.tokenizer import words

FEATURE_SIZE = 2048
SHARDS = 16
CAPTIONS_PER_IMAGE = 5


@dataclasses.dataclass(frozen=True)
class Captions:
    """Captions in stored order, CAPTIONS_PER_IMAGE of each image.

    Attributes:
      tokens: all word ids, each caption ended by 1; int32 [t].
      lengths: tokens of each caption; int32 [c].
    """

    tokens: np.ndarray
    lengths: np.ndarray


def real_captions(token_file: str, images: int) -> Captions:
    """The captions of a Flickr token file (name.jpg#0 TAB caption), as often over as it takes."""
    lines = Path(token_file).read_text(encoding="utf-8").splitlines()
    texts = [words(line.partition("\t")[2]) for line in lines if "\t" in line]
    counts = Counter(word for text in texts for word in text)
    number = {word: i for i, (word, _) in enumerate(sorted(counts.items(), key=lambda item: (-item[1], item[0])), 3)}
    texts = (texts * (images * CAPTIONS_PER_IMAGE // len(texts) + 1))[:images * CAPTIONS_PER_IMAGE]
    return Captions(np.array([i for text in texts for i in [*(number[word] for word in text), 1]], np.int32),
                    np.array([len(text) + 1 for text in texts], np.int32))


def synthetic_captions(images: int, vocabulary_size: int = 19222) -> Captions:
    """Captions about as long as those of Flickr8k, of words about as frequent as in English."""
    random = np.random.default_rng(0)
    lengths = np.clip(random.normal(11.8, 4, images * CAPTIONS_PER_IMAGE).round(), 1, 38).astype(np.int32) + 1
    tokens = (3 + random.zipf(1.3, lengths.sum()) % (vocabulary_size - 3)).astype(np.int32)
    tokens[np.cumsum(lengths) - 1] = 1
    return Captions(tokens, lengths)


def features(images: int, size: int = FEATURE_SIZE) -> np.ndarray:
    """Half of the values are zero, as after a ReLU; float16 [images, size]."""
    block = np.maximum(np.random.default_rng(1).normal(size=(1024, size)), 0).astype(np.float16)
    return np.concatenate([block] * (images // len(block) + 1))[:images]


def write_records(folder: Path, captions: Captions, image: bytes | None = None, feature_size: int = FEATURE_SIZE
                  ) -> None:
    """A records folder with one split, "train", that TensorFlow Datasets reads too."""
    folder.mkdir(parents=True)
    images = len(captions.lengths) // CAPTIONS_PER_IMAGE
    data = features(min(images, 1024), feature_size)
    ends = np.concatenate([[0], np.cumsum(captions.lengths)])
    shards = []
    for s, members in enumerate(np.array_split(np.arange(images), SHARDS)):
        digest, size, path = hashlib.sha256(), 0, folder / f"bench-train.tfrecord-{s:05d}-of-{SHARDS:05d}"
        with path.open("wb") as file:
            for i in members.tolist():
                first, last = ends[i * CAPTIONS_PER_IMAGE], ends[(i + 1) * CAPTIONS_PER_IMAGE]
                record = frame(encode(Example(
                    f"{i:08d}.jpg", image, 224, 224, data[i % len(data)].tobytes(), [], [],
                    captions.tokens[first:last].tolist())))
                digest.update(record)
                size += len(record)
                file.write(record)
        of_shard = slice(members[0] * CAPTIONS_PER_IMAGE, (members[-1] + 1) * CAPTIONS_PER_IMAGE)
        shards.append(manifest_lib.ShardInfo(
            path.name, size, digest.hexdigest(), len(members), len(members) * CAPTIONS_PER_IMAGE,
            int(captions.lengths[of_shard].sum())))
    info = manifest_lib.SplitInfo(images, len(captions.lengths), len(captions.tokens), int(captions.lengths.max()),
                                  tuple(shards))
    (folder / "features.json").write_text(features_json(feature_size, image is not None))
    (folder / "dataset_info.json").write_text(dataset_info_json("bench", {"train": info}))
    manifest_lib.save(folder, manifest_lib.Manifest(
        name="bench", target="captions", seed=0, created_with={}, flags={},
        backbone=manifest_lib.BackboneInfo("resnet50", "imagenet", "0" * 64, feature_size, 224, "caffe", "float32"),
        vocabulary_size=int(captions.tokens.max()) + 1, min_count=1, max_words=0, max_caption_words=50,
        splits={"train": info}, files={}, duplicates_merged=0, rejected=manifest_lib.Rejected(0, {})))


def write_tars(folder: Path, captions: Captions) -> None:
    """webdataset's form: tar shards with KEY.f16 and KEY.ids, raw little-endian arrays."""
    folder.mkdir(parents=True)
    images = len(captions.lengths) // CAPTIONS_PER_IMAGE
    data = features(min(images, 1024))
    ends = np.concatenate([[0], np.cumsum(captions.lengths)])
    for s, members in enumerate(np.array_split(np.arange(images), SHARDS)):
        with tarfile.open(folder / f"train-{s:05d}.tar", "w") as tar:
            for i in members.tolist():
                first, last = ends[i * CAPTIONS_PER_IMAGE], ends[(i + 1) * CAPTIONS_PER_IMAGE]
                for suffix, raw in (("f16", data[i % len(data)].tobytes()),
                                    ("ids", captions.tokens[first:last].tobytes())):
                    entry = tarfile.TarInfo(f"{i:08d}.{suffix}")
                    entry.size = len(raw)
                    tar.addfile(entry, io.BytesIO(raw))


def write_arrays(folder: Path, captions: Captions) -> None:
    """What a PyTorch user would index: one .npy file per column."""
    folder.mkdir(parents=True)
    np.save(folder / "features.npy", features(len(captions.lengths) // CAPTIONS_PER_IMAGE))
    np.save(folder / "tokens.npy", captions.tokens)
    np.save(folder / "lengths.npy", captions.lengths)


def write_all(folder: Path, captions: Captions) -> None:
    """All three forms, unless they are there from a run that finished writing."""
    done = folder / "done.json"
    summary = json.dumps([len(captions.lengths), hashlib.sha256(captions.tokens.tobytes()).hexdigest()])
    if done.exists() and done.read_text() == summary:
        return
    write_records(folder / "records", captions)
    write_tars(folder / "tars", captions)
    write_arrays(folder / "arrays", captions)
    done.write_text(summary)
