"""Answers of an exported SavedModel, with TensorFlow alone.

    python -m tagger.saved_model.loaded SAVED_MODEL IMAGE…     one JSON object a line, for the check that export makes
"""

import functools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from etils import epath
from tensorflow.core.protobuf import saved_model_pb2

from flags.errors import UserError


class SavedModel:
    """A loaded export.

    Attributes:
      signatures: by name, functions of keyword tensors that return a dict of tensors.
    """

    def __init__(self, path: epath.PathLike):
        self._path = epath.Path(path)
        self._loaded = tf.saved_model.load(str(path))  # holds the weights that the signatures use
        self.signatures = self._loaded.signatures

    @functools.cached_property
    def options(self) -> dict[str, np.ndarray]:
        """The options of a request, with their defaults. In Python, a loaded signature does not fill them in."""
        saved = saved_model_pb2.SavedModel.FromString((self._path / "saved_model.pb").read_bytes())
        defaults = saved.meta_graphs[0].signature_def["serving_default_with_options"].defaults
        return {name: tf.make_ndarray(value) for name, value in defaults.items()}

    def compute(self, signature: str, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, np.ndarray]:
        """What a signature answers to arrays, its inputs by name; options, where it has any, are scalars among them."""
        specs = self.signatures[signature].structured_input_signature[1]
        tensors = {name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in self.signatures[signature](**tensors).items()}

    def ask(self, signature: str, batch: Mapping[str, npt.ArrayLike], **options: float) -> dict[str, np.ndarray]:
        """What a signature answers to a batch, with some options changed.

        Args:
          signature: "serving_default" or "features".
          batch: its input by name.
          options: such as min_score=0.5, top_tags=5 or beam_width=1, for those of the export.

        Raises:
          UserError: the export, of an earlier version of this program, has no such option.
        """
        if unknown := sorted(options.keys() - self.options.keys() if options else ()):
            raise UserError(f"--{unknown[0]}: the export was written without this option; export the run again")
        if not options:
            return self.compute(signature, batch)
        return self.compute(f"{signature}_with_options", {**batch, **self.options, **options})

    def answer(self, images: Sequence[bytes], **options: float) -> list[dict[str, Any]]:
        """One dict per encoded image: caption, tags as [[tag, score], …] best first, valid; options as of `ask`."""
        return list(rows(self.ask("serving_default", {"image_bytes": np.array(images, object)}, **options)))


def rows(outputs: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Columns of serving_default as rows of plain Python values."""
    for caption, tags, scores, valid in zip(
            outputs["caption"], outputs["tags"], outputs["tag_scores"], outputs["valid"], strict=True):
        pairs = [[tag.decode(), float(score)] for tag, score in zip(tags, scores, strict=True) if tag]
        yield {"caption": caption.decode(), "tags": pairs, "valid": bool(valid)}


if __name__ == "__main__":
    for row in SavedModel(sys.argv[1]).answer([epath.Path(path).read_bytes() for path in sys.argv[2:]]):
        print(json.dumps(row))
