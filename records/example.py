"""One image and its captions as a tf.train.Example, and the two files that let TensorFlow Datasets read them.

The bytes are those that TensorFlow's own serialiser writes for the same features with sorted keys. They are put
together here because it is several times as fast as filling protocol buffers (benchmarks/records.py), and
because the processes that write shards then need no TensorFlow.
"""

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from records.manifest import SplitInfo


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """What is stored of one image.

    Attributes:
      key: the image's name in the caption table.
      image: encoded image that tf.io.decode_image reads, upright; None: not stored.
      height, width: of the upright image, in pixels.
      feature: little-endian float16 values of the pooled backbone output; None: not stored.
      captions: the reference captions.
      tags: the tags of each caption, joined by spaces; parallel to captions.
      tokens: ids of the target words of each caption, each followed by 1 (<end>), one caption after the other.
    """

    key: str
    image: bytes | None
    height: int
    width: int
    feature: bytes | None
    captions: Sequence[str]
    tags: Sequence[str]
    tokens: Sequence[int]


# Protocol buffer wire format (https://protobuf.dev/programming-guides/encoding): each field is a varint
# (number << 3 | wire type), and for wire type 2 a varint length and that many bytes.
_VARINTS = [bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in range(1 << 14)]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sized(data: bytes) -> bytes:
    size = len(data)
    return (_VARINTS[size] if size < 1 << 14 else _varint(size)) + data


# Map entries {1: name, 2: Feature}; a Feature has bytes_list as field 1 and int64_list as field 3.
_NAMES = {name: b"\x0a" + _sized(name.encode()) + b"\x12" for name in
          ("captions", "feature", "height", "image", "key", "tags", "tokens", "width")}


def _map_entry(name: str, kind: bytes, values: bytes) -> bytes:
    return b"\x0a" + _sized(_NAMES[name] + _sized(kind + _sized(values)))


def _bytes(name: str, values: Iterable[bytes]) -> bytes:
    return _map_entry(name, b"\x0a", b"".join([b"\x0a" + _sized(value) for value in values]))


def _int64s(name: str, values: Iterable[int]) -> bytes:
    packed = b"".join([_VARINTS[value] if value < 1 << 14 else _varint(value) for value in values])
    return _map_entry(name, b"\x1a", b"\x0a" + _sized(packed) if packed else b"")


@functools.lru_cache(maxsize=1 << 12)  # photos come in few sizes
def _int64(name: str, value: int) -> bytes:
    return _int64s(name, (value,))


def encode(example: Example) -> bytes:
    """The serialised tf.train.Example; all integers must be at least 0."""
    entries = [_bytes("captions", [c.encode() for c in example.captions])]
    if example.feature is not None:
        entries.append(_bytes("feature", (example.feature,)))
    entries.append(_int64("height", example.height))
    if example.image is not None:
        entries.append(_bytes("image", (example.image,)))
    entries += (_bytes("key", (example.key.encode(),)),
                _bytes("tags", [t.encode() for t in example.tags]),
                _int64s("tokens", example.tokens),
                _int64("width", example.width))
    return b"\x0a" + _sized(b"".join(entries))


_TFDS = "tensorflow_datasets.core.features."
_TEXT = {"pythonClassName": _TFDS + "text_feature.Text", "text": {}}
_INT64 = {"tensor": {"dtype": "int64", "encoding": "none", "shape": {}}}


def _sequence(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": _TFDS + "sequence_feature.Sequence", "sequence": {"feature": feature, "length": "-1"}}


def features_json(feature_size: int | None, store_images: bool) -> str:
    """features.json of TensorFlow Datasets (its feature.proto as JSON): the schema of the examples.

    Images are declared with three channels; grey ones are stored grey and decoded to three equal channels.
    """
    scalar = {"pythonClassName": _TFDS + "scalar.Scalar", **_INT64}
    number = {"pythonClassName": _TFDS + "tensor_feature.Tensor", **_INT64}
    features = {"key": _TEXT, "height": scalar, "width": scalar, "captions": _sequence(_TEXT),
                "tags": _sequence(_TEXT), "tokens": _sequence(number)}
    if store_images:
        features["image"] = {"pythonClassName": _TFDS + "image_feature.Image",
                             "image": {"dtype": "uint8", "shape": {"dimensions": ["-1", "-1", "3"]}}}
    if feature_size is not None:
        features["feature"] = {"pythonClassName": _TFDS + "tensor_feature.Tensor", "tensor": {
            "dtype": "float16", "encoding": "bytes", "shape": {"dimensions": [str(feature_size)]}}}
    return _json({"pythonClassName": _TFDS + "features_dict.FeaturesDict", "featuresDict": {"features": features}})


def dataset_info_json(name: str, splits: Mapping[str, SplitInfo]) -> str:
    """dataset_info.json of TensorFlow Datasets (its dataset_info.proto as JSON): splits and shard lengths."""
    return _json({
        "name": name, "version": "1.0.0", "fileFormat": "tfrecord",
        "splits": [{
            "name": split, "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "numBytes": str(sum(shard.bytes for shard in info.shards)),
            "shardLengths": [str(shard.examples) for shard in info.shards],
        } for split, info in splits.items()]})


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
