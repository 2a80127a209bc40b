"""Which arithmetic an export computes in, beside its SavedModel.

    write(saved_model, "mixed_bfloat16"); read(saved_model)

In the folder `assets.extra`, which TensorFlow carries along and does not read.
"""

import json

from etils import epath

from flags.choices import PRECISIONS
from records.util import cpu
from records.util.atomic_files import write_atomic

_FILE = "assets.extra/arithmetic.json"


def write(saved_model: epath.PathLike, precision: str) -> None:
    """Writes --precision of export into a SavedModel's folder."""
    path = epath.Path(saved_model) / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps({"precision": precision}) + "\n")


def read(saved_model: epath.PathLike) -> str:
    """What was written; "float32" where there is nothing, as in exports of before, or something else."""
    try:
        precision = json.loads((epath.Path(saved_model) / _FILE).read_text())["precision"]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return "float32"
    return precision if precision in PRECISIONS else "float32"


def slow_here(saved_model: epath.PathLike) -> str | None:
    """A line for the user where this machine computes an export's arithmetic more slowly than float32, else None."""
    if (precision := read(saved_model)) == "float32":
        return None
    import tensorflow as tf  # not for who only reads and writes the file

    if tf.config.list_physical_devices("GPU"):
        return None
    return cpu.slow_in_bfloat16(f"{saved_model}, exported with --precision={precision}")
