"""--devices and TF_CONFIG turned into a tf.distribute strategy.

One device runs under the default strategy, whose `run` and `all_reduce` do nothing special, so that the loop has one
form. Must be called before TensorFlow touches any device.
"""

import dataclasses
import json
import os

import tensorflow as tf

from flags.errors import UserError
from records.util import gpus
from records.util.counted import counted
from records.util.malloc import keep_freed_memory
from records.util.process_pool import cpus


@dataclasses.dataclass(frozen=True)
class Devices:
    """Where a training runs.

    Attributes:
      strategy: the default strategy, MirroredStrategy or MultiWorkerMirroredStrategy.
      host, hosts: number of this process and of all, 0 and 1 without TF_CONFIG.
      local_replicas: replicas of this process.
      on_gpu: whether replicas are GPUs.
    """

    strategy: tf.distribute.Strategy
    host: int
    hosts: int
    local_replicas: int
    on_gpu: bool

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run folder."""
        return self.host == 0

    @property
    def replicas(self) -> int:
        """Replicas of all hosts."""
        return self.local_replicas * self.hosts


def open_devices(spec: str) -> Devices:
    """Makes the devices that `spec` asks for visible, and the strategy over them.

    Args:
      spec: --devices: auto, cpu, cpu:N (N logical devices), gpu, or gpu:I,J,….

    Raises:
      UserError: the spec is malformed, names GPUs that are not there, or TF_CONFIG is unusable.
    """
    worker, workers = worker_and_count()
    kind, _, detail = spec.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (kind == "auto" and detail):
        raise UserError(f"--devices={spec}: expected auto, cpu:COUNT such as cpu:2, or gpu:INDEX,… such as gpu:0,1")
    physical = tf.config.list_physical_devices("GPU")
    if kind == "gpu" or (kind == "auto" and physical):
        return _strategy("GPU", _pick_gpus(spec, detail, physical), worker, workers)
    count = _number(spec, detail) if detail else 1
    if count < 1 or (workers > 1 and count > 1):
        raise UserError(f"--devices={spec}: expected at least one CPU device, and just one where TF_CONFIG names "
                        "several workers; start more workers instead")
    keep_freed_memory()  # the memory of a CPU device is this process's
    try:
        tf.config.set_visible_devices([], "GPU")
        if count > 1:
            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError as error:
        raise UserError(f"--devices={spec}: TensorFlow is already running in this process ({error}); start the "
                        "training in a process of its own") from error
    return _strategy("CPU", count, worker, workers)


def wait_for_all(devices: Devices) -> None:
    """Waits until every host is here, when the chief has written what the others read."""
    of_chief(devices, 0.0)


def of_chief(devices: Devices, value: float) -> float:
    """The chief's value on every host, which all must call this: what is decided by it is then decided alike."""
    if devices.hosts == 1:
        return value
    own = tf.constant(value / devices.local_replicas if devices.is_chief else 0.0, tf.float64)

    @tf.function(autograph=False)
    def total():
        return devices.strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("sum", own))

    return float(devices.strategy.experimental_local_results(total())[0])


def describe(devices: Devices, dtype: str) -> str:
    """A line that says where a training runs and what it computes in: "2 replicas on 2 GPUs, bfloat16"."""
    here = devices.local_replicas
    where = counted(here, "GPU") if devices.on_gpu else f"the CPU ({counted(cpus(), 'thread')})"
    line = f"{counted(here, 'replica')} on {where}, {dtype}"
    if devices.hosts == 1:
        return line
    writer = "this host writes the run" if devices.is_chief else "the first host writes the run"
    return f"host {devices.host + 1} of {devices.hosts}: {line}; {devices.replicas} replicas in all; {writer}"


def idle_gpu(spec: str, on_gpu: bool) -> str:
    """A line for the user where --devices=auto left a GPU of this machine idle; "" where it did not."""
    if on_gpu or spec != "auto" or not gpus.has_nvidia() or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return ""
    return ("this machine has an NVIDIA GPU, but TensorFlow finds none, as without its CUDA libraries: "
            "pip install '.[gpu]', and check nvidia-smi; --devices=cpu trains on the CPU without this line")


def _number(spec: str, text: str) -> int:
    if not text.strip().isdigit():
        raise UserError(f"--devices={spec}: found {text!r}, expected a number")
    return int(text)


def _pick_gpus(spec: str, detail: str, physical: list) -> int:
    if not physical:
        raise UserError(f"--devices={spec}: TensorFlow finds no GPU here; use --devices=auto, or install with the gpu "
                        "extra and check nvidia-smi")
    indices = [_number(spec, part) for part in detail.split(",")] if detail else range(len(physical))
    for index in indices:
        if index >= len(physical):
            raise UserError(f"--devices={spec}: there is no GPU {index}; found {len(physical)}, numbered from 0")
    wanted = [physical[index] for index in indices]
    if tf.config.get_visible_devices("GPU") == wanted:
        return len(wanted)
    try:
        tf.config.set_visible_devices(wanted, "GPU")
    except RuntimeError as error:
        raise UserError(f"--devices={spec}: TensorFlow is already running in this process ({error}); start the "
                        "training in a process of its own") from error
    return len(wanted)


def worker_and_count() -> tuple[int, int]:
    """(index of this worker, number of workers) from TF_CONFIG; (0, 1) without."""
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        index, kind = int(task["index"]), task["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"TF_CONFIG: found {text[:200]!r}, expected JSON with cluster.worker, task.type and "
                        f"task.index ({type(error).__name__}: {error})") from error
    if set(config["cluster"]) != {"worker"} or kind != "worker" or not 0 <= index < len(workers):
        raise UserError(f"TF_CONFIG: found task {kind} {index} of cluster {config['cluster']}, expected only the task "
                        "type worker, with indices from 0; worker 0 is the chief")
    return index, len(workers)


def _strategy(kind: str, count: int, worker: int, workers: int) -> Devices:
    if workers > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        # Every host counts its steps itself; asking the others whether they have a batch left costs a round trip.
        strategy.extended.experimental_enable_get_next_as_optional = False
    elif count > 1:
        strategy = tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(count)])
        strategy.extended.experimental_enable_get_next_as_optional = False
    else:
        strategy = tf.distribute.get_strategy()
    return Devices(strategy, worker, workers, strategy.num_replicas_in_sync // workers, kind == "GPU")
