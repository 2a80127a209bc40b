"""The hand-written messages, read back by protocol buffers with the field numbers of TensorFlow Serving."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tagger.saved_model import warmup_requests

F = descriptor_pb2.FieldDescriptorProto


def message(file, name, *fields):
    """Adds a message of (name, number, type, type name, repeated) fields to a file."""
    added = file.message_type.add(name=name)
    for field, number, kind, type_name, repeated in fields:
        added.field.add(name=field, number=number, type=kind, type_name=type_name or None,
                        label=F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL)
    return added


@pytest.fixture(scope="module")
def prediction_log():
    """The class of tensorflow.serving.PredictionLog, as far as Predict requests go."""
    file = descriptor_pb2.FileDescriptorProto(name="serving.proto", package="s", syntax="proto3")
    message(file, "ModelSpec", ("name", 1, F.TYPE_STRING, "", False), ("signature_name", 3, F.TYPE_STRING, "", False))
    request = message(file, "PredictRequest", ("model_spec", 1, F.TYPE_MESSAGE, ".s.ModelSpec", False),
                      ("inputs", 2, F.TYPE_MESSAGE, ".s.PredictRequest.InputsEntry", True))
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=F.TYPE_BYTES, label=F.LABEL_OPTIONAL)  # a serialized TensorProto
    message(file, "PredictLog", ("request", 1, F.TYPE_MESSAGE, ".s.PredictRequest", False))
    message(file, "PredictionLog", ("predict_log", 6, F.TYPE_MESSAGE, ".s.PredictLog", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("s.PredictionLog"))


def tensor(serialized):
    return tf.make_ndarray(type(tf.make_tensor_proto(0)).FromString(serialized))


def test_a_request_survives(prediction_log):
    image = np.random.default_rng(0).bytes(100_000)  # long enough for lengths of several bytes
    log = prediction_log.FromString(warmup_requests.prediction_log(
        "sig", {"image_bytes": tf.constant([image]), "scale": tf.constant(0.5)}, model="name"))
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("name", "sig")
    assert set(request.inputs) == {"image_bytes", "scale"}
    assert tensor(request.inputs["image_bytes"]).tolist() == [image]
    assert tensor(request.inputs["scale"]) == 0.5


def test_the_exports_requests_are_answered_by_it(prediction_log, demo):
    version = demo[0] / "export" / "1"
    signatures = tf.saved_model.load(str(version)).signatures
    records = list(tf.data.TFRecordDataset(str(version / warmup_requests.PATH)).as_numpy_iterator())
    requests = [prediction_log.FromString(record).predict_log.request for record in records]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default", "features"]
    for request in requests:
        inputs = {name: tf.constant(tensor(value)) for name, value in request.inputs.items()}
        answer = signatures[request.model_spec.signature_name](**inputs)
        assert answer["caption"].shape == [1]
        assert answer.get("valid", tf.constant([True])).numpy().all()
