"""TensorFlow Serving's JSON for Predict requests and answers, as plain functions.

The format is https://www.tensorflow.org/tfx/serving/api_rest: a request is `{"signature_name": …, "instances": […]}`
(row form) or `{"signature_name": …, "inputs": …}` (columnar form), with bytes written as `{"b64": "…"}`.
"""

import base64
import binascii
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

_DEFAULT = "serving_default"
_B64 = "b64"
_WHITESPACE = " \t\r\n"
_PIECE = 1 << 20  # characters of base64 decoded at a time: a multiple of 4; other threads get a turn in between
_MORE_VALUES = 200_000  # that a request may hold beside its rows


class BadRequest(Exception):
    """A request that cannot be answered; the message says why, for the client's developer."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A parsed Predict request.

    Attributes:
      signature: name of the signature asked for.
      inputs: its inputs by name, of the declared dtypes and shapes.
      by_row: whether it came in row form, which decides the form of the answer.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    by_row: bool


def parse(body: bytes | bytearray, signatures: Mapping[str, Mapping[str, tf.TensorSpec]], max_batch: int) -> Request:
    """Reads a request body.

    Args:
      signatures: the inputs of every signature, by name.
      max_batch: most rows that an input may have.

    Raises:
      BadRequest: it is no JSON of that format, or does not fit the signature.
    """
    # Every value costs memory, and time in which nobody else is answered: 64 MB of "[]," would take 1.4 GB.
    count = sum(map(body.count, (b",", b"[", b"{")))
    most = _MORE_VALUES + 2 * max_batch * max(sum(map(_row_size, specs.values())) for specs in signatures.values())
    if count > most:
        raise BadRequest(f"the body holds more than {most:,} values, which no request of {max_batch} rows does")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadRequest("expected a JSON object with the key instances or inputs")
    signature = document.get("signature_name", "") or _DEFAULT
    if not isinstance(signature, str) or signature not in signatures:
        raise BadRequest(f"signature_name {str(signature)[:80]!r} is unknown; known: {', '.join(sorted(signatures))}")
    if ("instances" in document) == ("inputs" in document):
        raise BadRequest("expected exactly one of the keys instances and inputs")
    by_row = "instances" in document
    specs = signatures[signature]
    values = _columns(document["instances"], specs) if by_row else _named(document["inputs"], specs)
    return Request(signature, {name: _array(name, value, specs[name], max_batch) for name, value in values.items()},
                   by_row)


def _row_size(spec: tf.TensorSpec) -> int:
    return max(int(np.prod([size or 1 for size in spec.shape[1:]])), 2)  # a string may be an object of its own


def answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The body of the answer: `{"predictions": […]}` by row, `{"outputs": {…}}` by column."""
    values = {name: _plain(value) for name, value in outputs.items()}
    if not by_row:
        return json.dumps({"outputs": values}).encode()
    rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return json.dumps({"predictions": rows}).encode()


def _plain(value: np.ndarray) -> list:
    if value.dtype != object:
        return value.tolist()
    return [_plain(row) for row in value] if value.ndim > 1 else [text.decode() for text in value]


def _is_value(item: Any) -> bool:
    """Whether a JSON item is a value of one input, not an object of several inputs by name."""
    return not isinstance(item, dict) or set(item) == {_B64}


def _columns(instances: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, list]:
    """Row form to one list per input."""
    if not isinstance(instances, list) or not instances:
        raise BadRequest("instances: expected a list with at least one element")
    if all(map(_is_value, instances)):
        if len(specs) > 1:
            raise BadRequest(f"instances: expected objects with the keys {', '.join(specs)}")
        return {next(iter(specs)): instances}
    for number, item in enumerate(instances):
        if _is_value(item) or set(item) != set(specs):
            raise BadRequest(f"instances[{number}]: expected an object with the keys {', '.join(specs)}")
    return {name: [item[name] for item in instances] for name in specs}


def _named(inputs: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
    """Columnar form to one value per input."""
    if _is_value(inputs):
        if len(specs) > 1:
            raise BadRequest(f"inputs: expected an object with the keys {', '.join(specs)}")
        return {next(iter(specs)): inputs}
    if set(inputs) != set(specs):
        raise BadRequest(f"inputs: found the keys {', '.join(sorted(inputs))[:200]}, expected {', '.join(specs)}")
    return dict(inputs)


def _array(name: str, value: Any, spec: tf.TensorSpec, max_batch: int) -> np.ndarray:
    if isinstance(value, list) and len(value) > max_batch:
        raise BadRequest(f"{name}: {len(value)} rows, this server takes at most {max_batch} in a request")
    if spec.dtype == tf.string:
        value = [_bytes(name, item) for item in value] if isinstance(value, list) else _bytes(name, value)
    try:
        array = np.array(value, dtype=object if spec.dtype == tf.string else None)
    except ValueError as error:
        raise BadRequest(f"{name}: rows of different lengths") from error
    if array.size == 0 and array.ndim == 1:
        array = array.reshape([0, *spec.shape[1:]])
    if not spec.shape.is_compatible_with(array.shape):
        hint = "; the row form makes a list of every input: use the columnar form" if spec.shape.rank == 0 else ""
        raise BadRequest(f"{name}: found shape {list(array.shape)}, expected {spec.shape.as_list()}{hint}")
    if spec.dtype == tf.string:
        return array
    dtype = spec.dtype.as_numpy_dtype
    if array.size and array.dtype.kind not in ("iuf" if spec.dtype.is_floating else "iu"):
        raise BadRequest(f"{name}: expected numbers of type {spec.dtype.name}")
    if array.size and not spec.dtype.is_floating and (array.max() > np.iinfo(dtype).max or
                                                     array.min() < np.iinfo(dtype).min):
        raise BadRequest(f"{name}: does not fit {spec.dtype.name}")
    with np.errstate(over="ignore"):
        array = array.astype(dtype)
    if not np.isfinite(array).all():
        raise BadRequest(f"{name}: expected finite numbers of type {spec.dtype.name}")
    return array


def _bytes(name: str, item: Any) -> bytes:
    if isinstance(item, str):
        try:
            return item.encode()
        except UnicodeEncodeError as error:
            raise BadRequest(f"{name}: half of a surrogate pair, which is no character ({error.reason})") from error
    if not isinstance(item, dict) or set(item) != {_B64} or not isinstance(item[_B64], str):
        raise BadRequest(f'{name}: expected strings or {{"b64": "…"}} objects')
    try:
        return _base64(item[_B64])
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{name}: b64 holds no base64 ({error})") from error


def _base64(text: str) -> bytes:
    """As TensorFlow Serving's absl::Base64Unescape: whitespace is skipped, the padding may be missing."""
    if any(character in text for character in _WHITESPACE):
        text = "".join(text.split())
    text += "=" * (-len(text) % 4)
    parts = [base64.b64decode(text[start:start + _PIECE], validate=True) for start in range(0, len(text), _PIECE)]
    if any(len(part) < _PIECE // 4 * 3 for part in parts[:-1]):
        raise ValueError("padding in the middle")
    return b"".join(parts)
