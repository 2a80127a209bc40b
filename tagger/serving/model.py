"""A SavedModel that answers request bodies of many clients."""

import asyncio
import functools
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from flags.serve import Serve
from tagger.saved_model import arithmetic
from tagger.saved_model.loaded import SavedModel
from tagger.saved_model.versions import newest
from tagger.serving import tf_serving_json
from tagger.serving.admission import Limits, Refusal
from tagger.serving.costly_images import CostlyImages
from tagger.serving.dynamic_batching import Arrays, MicroBatches
from tagger.serving.image_cost import is_quick

_MOST_WAITING = 64  # calls; further ones are told to come back
_MOST_BULK = 16
_QUICK_IMAGES, _PIECE = 8, 8  # images of a request that goes with others; rows of a larger one computed at a time

_Kind = tuple[str, tuple[tuple[str, float], ...]]  # a signature and its options


class ServedModel:
    """The newest version of an export, loaded and warm.

    Requests of a few photos that decode quickly are computed together. Two kinds go other ways, so that the others do
    not wait for them: one with many photos is computed a few rows at a time by a thread of its own, one with a photo
    that takes long a row at a time by a process of its own.

    Attributes:
      path: of the SavedModel.
      version: its version folder's name, or "1".
    """

    def __init__(self, config: Serve):
        self.path = newest(config.export_dir)
        self.version = self.path.name if self.path.name.isdecimal() else "1"
        if warning := arithmetic.slow_here(self.path):
            print(warning, file=sys.stderr)
        self._loaded = SavedModel(self.path)
        self._inputs = {name: signature.structured_input_signature[1]
                        for name, signature in self._loaded.signatures.items()}
        self._max_batch, self._together = config.max_batch, config.together
        self._costly_images = CostlyImages(self.path)
        here, elsewhere = (functools.partial(_answers, model) for model in (self._loaded, self._costly_images))
        self._quick = MicroBatches(here, config.together, config.threads)
        self._bulk = MicroBatches(here, _PIECE, 1)
        self._costly = MicroBatches(elsewhere, 1, 1)
        self._quick_calls = self._bulk_calls = 0
        # Parsing JSON holds Python's lock: one large body at a time, or all clients would feel it.
        self._parsing_large = asyncio.Semaphore(1)
        self._loaded.answer([tf.io.encode_jpeg(tf.zeros([8, 8, 3], tf.uint8)).numpy()])  # the first run is slow

    async def parse(self, body: bytes | bytearray) -> tuple[tf_serving_json.Request, int]:
        """A request's body, read, and how many rows of it to compute at a time; 0: all of them, with other requests'.

        Raises:
          tf_serving_json.BadRequest: it cannot be answered.
        """
        if len(body) <= Limits.ordinary_bytes:
            return await asyncio.to_thread(self._parse, body)
        async with self._parsing_large:
            return await asyncio.to_thread(self._parse, body)

    def _parse(self, body: bytes | bytearray) -> tuple[tf_serving_json.Request, int]:
        request = tf_serving_json.parse(body, self._inputs, self._max_batch)
        rows = next(value for value in request.inputs.values() if value.ndim)
        if rows.dtype != object:
            return request, 0 if len(rows) <= self._together else self._together
        if not all(map(is_quick, rows)):
            return request, 1  # the memory of one such image
        return request, 0 if len(rows) <= _QUICK_IMAGES else _PIECE

    async def predict(self, request: tf_serving_json.Request, at_a_time: int) -> bytes:
        """The answer's body, to what `parse` gave.

        Raises:
          Refusal: too many requests are waiting.
        """
        rows = {name: value for name, value in request.inputs.items() if value.ndim}
        options = tuple((name, value.item()) for name, value in request.inputs.items() if not value.ndim)
        kind = (request.signature, options)
        if not len(next(iter(rows.values()))):
            outputs = self._nothing(request.signature)
        elif at_a_time:
            outputs = await self._call_bulk(kind, rows, at_a_time)
        else:
            outputs = await self._call_quick(kind, rows)
        return tf_serving_json.answer(outputs, request.by_row)

    async def _call_quick(self, kind: _Kind, rows: Arrays) -> Arrays:
        if self._quick_calls >= _MOST_WAITING:
            raise Refusal(503, "too many requests are waiting")
        self._quick_calls += 1
        try:
            return await self._quick.call(kind, rows)
        finally:
            self._quick_calls -= 1

    async def _call_bulk(self, kind: _Kind, rows: Arrays, at_a_time: int) -> Arrays:
        if self._bulk_calls >= _MOST_BULK:
            raise Refusal(503, "too many requests with many or large photos are waiting")
        self._bulk_calls += 1
        try:
            way = self._costly if at_a_time == 1 else self._bulk
            return await way.call_in_pieces(kind, rows, at_a_time)
        finally:
            self._bulk_calls -= 1

    @property
    def is_computing(self) -> bool:
        """Whether TensorFlow is at work, be it for a client that has left."""
        return self._quick.is_computing or self._bulk.is_computing or self._costly.is_computing

    def close(self) -> None:
        """Ends the process for costly images."""
        self._costly_images.close()

    def _nothing(self, signature: str) -> Arrays:
        """What a signature answers to no rows."""
        outputs = self._loaded.signatures[signature].structured_outputs
        return {name: np.zeros([0, *spec.shape[1:]], object if spec.dtype == tf.string else spec.dtype.as_numpy_dtype)
                for name, spec in outputs.items()}

    def metadata(self, name: str) -> dict[str, Any]:
        """What TensorFlow Serving answers about the signatures."""
        signatures = {}
        for key, signature in self._loaded.signatures.items():
            inputs = {spec.name: _tensor_info(spec) for spec in self._inputs[key].values()}
            outputs = {output: _tensor_info(spec) for output, spec in signature.structured_outputs.items()}
            signatures[key] = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
        return {"model_spec": {"name": name, "signature_name": "", "version": self.version},
                "metadata": {"signature_def": {"signature_def": signatures}}}


def _answers(model: SavedModel | CostlyImages, kind: _Kind, rows: Arrays) -> dict[str, np.ndarray]:
    """What a signature answers to rows, all with the same options."""
    signature, options = kind
    return model.compute(signature, {**rows, **{name: np.array(value) for name, value in options}})


def _tensor_info(spec: tf.TensorSpec) -> dict[str, Any]:
    dims = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape]
    dtype = tf.as_dtype(spec.dtype)
    return {"dtype": f"DT_{ {'float32': 'FLOAT'}.get(dtype.name, dtype.name.upper()) }",
            "tensor_shape": {"dim": dims, "unknown_rank": False}, "name": spec.name}
