"""The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them to a process that shall see only one."""

import os


def names(count: int, visible: str | None) -> list[str]:
    """The first `count` names.

    Args:
      visible: CUDA_VISIBLE_DEVICES of this process, such as "2,3" or "GPU-8932f937"; None where it is not set, and GPUs
        are counted from 0.
    """
    if visible is None:
        return [str(number) for number in range(count)]
    return [name.strip() for name in visible.split(",")][:count]


def gpus() -> list[str]:
    """A name for each GPU that TensorFlow sees in this process; it is imported."""
    import tensorflow as tf  # only here, as most of records/ does without it

    return names(len(tf.config.list_physical_devices("GPU")), os.environ.get("CUDA_VISIBLE_DEVICES"))


def environment(name: str) -> dict[str, str]:
    """Of a process that shall see one GPU alone."""
    return {"CUDA_VISIBLE_DEVICES": name}


def has_nvidia() -> bool:
    """Whether the system shows a GPU of NVIDIA's to this process, whatever libraries there are."""
    return any(map(os.path.exists, ("/dev/nvidia0", "/proc/driver/nvidia/version")))
