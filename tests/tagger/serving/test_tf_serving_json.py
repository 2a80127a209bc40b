import base64
import json

import numpy as np
import pytest
import tensorflow as tf

from tagger.serving import tf_serving_json

ONE = {"image_bytes": tf.TensorSpec([None], tf.string)}
TWO = ONE | {"beam_width": tf.TensorSpec([], tf.int32)}
VECTORS = {"features": tf.TensorSpec([None, 3], tf.float32)}
SIGNATURES = {"serving_default": ONE, "options": TWO, "features": VECTORS}


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def parse(document, max_batch=4):
    return tf_serving_json.parse(json.dumps(document).encode(), SIGNATURES, max_batch)


@pytest.mark.parametrize("document", [
    {"instances": [b64(b"\xff\x00"), b64(b"b")]},
    {"instances": [{"image_bytes": b64(b"\xff\x00")}, {"image_bytes": b64(b"b")}]},
    {"signature_name": "serving_default", "instances": [b64(b"\xff\x00"), "b"]},
    {"signature_name": "", "inputs": [b64(b"\xff\x00"), b64(b"b")]},
    {"inputs": {"image_bytes": [b64(b"\xff\x00"), b64(b"b")]}},
])
def test_ways_to_write_two_images(document):
    request = parse(document)
    assert request.signature == "serving_default"
    assert request.inputs["image_bytes"].tolist() == [b"\xff\x00", b"b"]
    assert request.by_row == ("instances" in document)


def test_columns_with_an_option():
    request = parse({"signature_name": "options", "inputs": {"image_bytes": [b64(b"x")], "beam_width": 5}})
    assert request.inputs["beam_width"].dtype == np.int32 and request.inputs["beam_width"] == 5


def test_vectors_of_whole_and_broken_numbers():
    request = parse({"signature_name": "features", "instances": [[1, 2, 3], [0.5, 1e-3, -2]]})
    assert request.inputs["features"].dtype == np.float32
    np.testing.assert_array_equal(request.inputs["features"], np.float32([[1, 2, 3], [0.5, 1e-3, -2]]))


def test_an_empty_column_is_an_empty_batch():
    assert parse({"inputs": []}).inputs["image_bytes"].shape == (0,)
    assert parse({"signature_name": "features", "inputs": []}).inputs["features"].shape == (0, 3)


def test_base64_without_its_padding():
    assert parse({"instances": [{"b64": "eA"}]}).inputs["image_bytes"].tolist() == [b"x"]


@pytest.mark.parametrize(("document", "message"), [
    ([], "expected a JSON object"),
    ({}, "exactly one of the keys"),
    ({"instances": ["a"], "inputs": ["a"]}, "exactly one of the keys"),
    ({"instances": []}, "at least one element"),
    ({"instances": "a"}, "at least one element"),
    ({"instances": [5]}, "expected strings or"),
    ({"instances": [{"b64": "no base64!"}]}, "holds no base64"),
    ({"instances": [{"b64": 5}]}, "expected strings or"),
    ({"instances": [{"image": b64(b"x")}]}, "keys image_bytes"),
    ({"instances": [b64(b"x"), {"image_bytes": b64(b"x")}]}, r"instances\[0\]"),
    ({"instances": ["a"] * 5}, "at most 4"),
    ({"signature_name": "other", "instances": ["a"]}, "known: features, options, serving_default"),
    ({"signature_name": ["options"], "instances": ["a"]}, "is unknown"),
    ({"signature_name": "options", "inputs": ["a"]}, "keys image_bytes, beam_width"),
    ({"signature_name": "options", "inputs": {"image_bytes": ["a"]}}, "found the keys image_bytes, expected"),
    ({"signature_name": "options", "inputs": {"image_bytes": ["a"], "beam_width": "3"}}, "numbers of type int32"),
    ({"signature_name": "options", "inputs": {"image_bytes": ["a"], "beam_width": 2.5}}, "numbers of type int32"),
    ({"signature_name": "options", "inputs": {"image_bytes": ["a"], "beam_width": 2**40}}, "does not fit int32"),
    ({"signature_name": "options", "inputs": {"image_bytes": ["a"], "beam_width": True}}, "numbers of type int32"),
    ({"signature_name": "options", "instances": [{"image_bytes": "a", "beam_width": 3}]}, "columnar form"),
    ({"signature_name": "features", "inputs": [[1, 2]]}, r"found shape \[1, 2\], expected \[None, 3\]"),
    ({"signature_name": "features", "inputs": [[1, 2, 3], [1]]}, "different lengths"),
    ({"signature_name": "features", "inputs": [["a", "b", "c"]]}, "numbers of type float32"),
    ({"signature_name": "features", "inputs": [[None, 1, 2]]}, "numbers of type float32"),
    ({"signature_name": "features", "inputs": {}}, "expected features"),
])
def test_what_is_wrong_is_said(document, message):
    with pytest.raises(tf_serving_json.BadRequest, match=message):
        parse(document)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_no_json(body):
    with pytest.raises(tf_serving_json.BadRequest, match="no JSON"):
        tf_serving_json.parse(body, SIGNATURES, 4)


def test_answers_by_row_and_by_column():
    outputs = {"tags": np.array([[b"a", "ü".encode()], [b"", b""]], object), "valid": np.array([True, False]),
               "score": np.array([0.5, 0.0], np.float32)}
    assert json.loads(tf_serving_json.answer(outputs, by_row=True)) == {"predictions": [
        {"tags": ["a", "ü"], "valid": True, "score": 0.5}, {"tags": ["", ""], "valid": False, "score": 0.0}]}
    assert json.loads(tf_serving_json.answer(outputs, by_row=False)) == {"outputs": {
        "tags": [["a", "ü"], ["", ""]], "valid": [True, False], "score": [0.5, 0.0]}}
