"""dataset_info.json and features.json: what TensorFlow Datasets reads a records folder by, without other code."""

import json
from collections.abc import Mapping
from typing import Any

from records.format.example import TAG_IDS
from records.format.manifest import SplitInfo

_TFDS = "tensorflow_datasets.core.features."
_TEXT = {"pythonClassName": _TFDS + "text_feature.Text", "text": {}}
_INT64 = {"tensor": {"dtype": "int64", "encoding": "none", "shape": {}}}


def _sequence(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": _TFDS + "sequence_feature.Sequence", "sequence": {"feature": feature, "length": "-1"}}


def features_json(feature_size: int | None, store_images: bool, tag_ids: bool = False) -> str:
    """features.json of TensorFlow Datasets (its feature.proto as JSON): the schema of the examples.

    Images are declared with three channels; grey ones are stored grey and decoded to three equal channels.
    """
    scalar = {"pythonClassName": _TFDS + "scalar.Scalar", **_INT64}
    number = {"pythonClassName": _TFDS + "tensor_feature.Tensor", **_INT64}
    features = {"key": _TEXT, "height": scalar, "width": scalar, "captions": _sequence(_TEXT),
                "tags": _sequence(_TEXT), "tokens": _sequence(number)}
    if tag_ids:
        features[TAG_IDS] = _sequence(_sequence(number))
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
