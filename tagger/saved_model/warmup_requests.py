"""The requests that TensorFlow Serving answers to itself before a new version takes traffic.

Reads `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog messages
(https://www.tensorflow.org/tfx/serving/saved_model_warmup). The few message fields needed are encoded here:
the package that defines them, tensorflow-serving-api, pins a whole TensorFlow of its own.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf
from etils import epath

PATH = "assets.extra/tf_serving_warmup_requests"

# Field numbers of tensorflow_serving/apis/{prediction_log,predict,model}.proto.
_LOG_PREDICT, _PREDICT_LOG_REQUEST = 6, 1
_REQUEST_MODEL_SPEC, _REQUEST_INPUTS = 1, 2
_SPEC_NAME, _SPEC_SIGNATURE = 1, 3
_MAP_KEY, _MAP_VALUE = 1, 2


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protocol buffer field: a string, bytes or an embedded message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def prediction_log(signature: str, inputs: Mapping[str, tf.Tensor], model: str = "tagger") -> bytes:
    """A serialized PredictionLog of one Predict request."""
    spec = _field(_SPEC_NAME, model.encode()) + _field(_SPEC_SIGNATURE, signature.encode())
    request = _field(_REQUEST_MODEL_SPEC, spec)
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += _field(_REQUEST_INPUTS, _field(_MAP_KEY, name.encode()) + _field(_MAP_VALUE, tensor))
    return _field(_LOG_PREDICT, _field(_PREDICT_LOG_REQUEST, request))


def write(saved_model: epath.PathLike, requests: Sequence[bytes]) -> None:
    """Writes the warm-up file of a SavedModel from `prediction_log`s (TensorFlow Serving reads at most 1,000)."""
    path = epath.Path(saved_model) / PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            writer.write(request)
