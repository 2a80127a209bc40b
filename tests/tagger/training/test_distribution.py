import json

import pytest

from flags.errors import UserError
from tagger.training.distribution import open_devices


@pytest.mark.parametrize("spec, message", [
    ("tpu", "expected auto, cpu:COUNT such as cpu:2, or gpu:INDEX"),
    ("auto:1", "expected auto"),
    ("cpu:two", "found 'two', expected a number"),
    ("cpu:0", "at least one CPU device"),
    ("gpu:99", "GPU"),
])
def test_bad_spec(spec, message, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UserError, match=f"--devices={spec}: .*{message}"):
        open_devices(spec)


@pytest.mark.parametrize("text", [
    "{", "[]", json.dumps({"cluster": {"worker": ["a:1", "b:1"]}}),
    json.dumps({"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}),
    json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}})])
def test_bad_tf_config(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG: found"):
        open_devices("auto")


def test_several_workers_take_one_cpu_each(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(
        {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}))
    with pytest.raises(UserError, match="--devices=cpu:2: .*start more workers"):
        open_devices("cpu:2")
