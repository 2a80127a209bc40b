"""Answers of an exported SavedModel, with TensorFlow alone.

    python -m tagger.saved_model.loaded SAVED_MODEL IMAGE…     one JSON object a line, for the check that export makes
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
from etils import epath


class SavedModel:
    """A loaded export.

    Attributes:
      signatures: by name, functions of keyword tensors that return a dict of tensors.
    """

    def __init__(self, path: epath.PathLike):
        self._loaded = tf.saved_model.load(str(path))  # holds the weights that the signatures use
        self.signatures = self._loaded.signatures

    def answer(self, images: Sequence[bytes]) -> list[dict[str, Any]]:
        """One dict per encoded image: caption, tags as [[tag, score], …] best first, valid."""
        outputs = self.signatures["serving_default"](image_bytes=tf.constant(list(images), tf.string))
        return list(rows({name: value.numpy() for name, value in outputs.items()}))


def rows(outputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Columns of serving_default as rows of plain Python values."""
    for caption, tags, scores, valid in zip(
            outputs["caption"], outputs["tags"], outputs["tag_scores"], outputs["valid"], strict=True):
        pairs = [[tag.decode(), float(score)] for tag, score in zip(tags, scores, strict=True) if tag]
        yield {"caption": caption.decode(), "tags": pairs, "valid": bool(valid)}


if __name__ == "__main__":
    for row in SavedModel(sys.argv[1]).answer([epath.Path(path).read_bytes() for path in sys.argv[2:]]):
        print(json.dumps(row))
