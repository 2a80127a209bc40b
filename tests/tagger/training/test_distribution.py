import json

import pytest
import tensorflow as tf

from flags.errors import UserError
from tagger.training import distribution
from tagger.training.distribution import Devices, describe, idle_gpu, of_chief, open_devices
from tests.tagger.training.run import finish, start


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


@pytest.mark.parametrize(("host", "hosts", "replicas", "on_gpu", "line"), [
    (0, 1, 8, True, "8 replicas on 8 GPUs, bfloat16"), (0, 1, 1, True, "1 replica on 1 GPU, bfloat16"),
    (0, 1, 2, False, "2 replicas on the CPU (3 threads), bfloat16"),
    (1, 2, 4, True, "host 2 of 2: 4 replicas on 4 GPUs, bfloat16; 8 replicas in all; the first host writes the run"),
    (0, 2, 1, False, "host 1 of 2: 1 replica on the CPU (3 threads), bfloat16; 2 replicas in all; this host writes the "
                     "run")])
def test_the_devices_are_told(monkeypatch, host, hosts, replicas, on_gpu, line):
    monkeypatch.setattr(distribution, "cpus", lambda: 3)
    devices = Devices(tf.distribute.get_strategy(), host, hosts, replicas, on_gpu)
    assert describe(devices, "bfloat16") == line


def test_a_gpu_without_its_libraries_is_told_where_it_would_have_been_used(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(distribution.gpus, "has_nvidia", lambda: False)
    assert idle_gpu("auto", on_gpu=False) == ""
    monkeypatch.setattr(distribution.gpus, "has_nvidia", lambda: True)
    assert "pip install '.[gpu]'" in idle_gpu("auto", on_gpu=False)
    assert not idle_gpu("auto", on_gpu=True) and not idle_gpu("cpu", on_gpu=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # somebody hides it on purpose
    assert idle_gpu("auto", on_gpu=False) == ""


@pytest.mark.slow
def test_the_number_of_the_chief_is_that_of_every_host():
    script = ("from tagger.training.distribution import of_chief, open_devices; devices = open_devices('cpu'); "
              "print('got', of_chief(devices, 54.56789 + devices.host))")
    for status, output in finish(start(["-c", script], workers=2)):
        assert status == 0 and "got 54.56789" in output.splitlines(), output
    assert of_chief(Devices(tf.distribute.get_strategy(), 0, 1, 1, False), 0.1) == 0.1
