"""Which backbone an export has, beside its SavedModel: for who has features and wants to know whether they fit.

    write(saved_model, info); read(saved_model) == info

In the folder `assets.extra`, which TensorFlow carries along and does not read.
"""

import dataclasses
import json

from etils import epath

from records.format.manifest import BackboneInfo
from records.util.atomic_files import write_atomic

_FILE = "assets.extra/backbone.json"


def write(saved_model: epath.PathLike, info: BackboneInfo) -> None:
    """Writes it into a SavedModel's folder."""
    path = epath.Path(saved_model) / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(dataclasses.asdict(info), indent=1) + "\n")


def read(saved_model: epath.PathLike) -> BackboneInfo | None:
    """What was written; None where there is nothing, as in exports of before, or something else."""
    try:
        return BackboneInfo(**json.loads((epath.Path(saved_model) / _FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
