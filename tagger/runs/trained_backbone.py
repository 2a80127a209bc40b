"""The backbone of a run that was trained from pixels: its weights beside the merge model's, and what records call it.

backbone.weights.h5 is a file that the network's constructor in keras.applications loads (include_top=False,
pooling="avg"), and that make_records takes as --backbone_weights. backbone.json holds the hash of its values, so that
runs and records can be compared without building the network.
"""

import dataclasses
import json
import os
import tempfile

import keras
from etils import epath

from flags.errors import UserError
from records.backbones.weights import TRAINED_FILE, load_weights, weights_sha256
from records.format.manifest import BackboneInfo
from records.util import regular_files
from records.util.atomic_files import write_atomic

WEIGHTS_FILE, HASH_FILE = TRAINED_FILE, "backbone.json"


def save(folder: epath.Path, model: keras.Model, plain: keras.Model) -> None:
    """Writes the weights of a backbone to a run folder; the hash last, which says that they are whole.

    Args:
      model: the backbone in training.
      plain: another instance of the network. The file is read into it, and its weights are hashed: they have the names
        that everybody else knows, and a file that cannot be read is noticed now.
    """
    (folder / HASH_FILE).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as local:
        path = os.path.join(local, WEIGHTS_FILE)  # Keras writes HDF5 to local files only
        model.save_weights(path)
        write_atomic(folder / WEIGHTS_FILE, epath.Path(path).read_bytes())
    load(folder, plain)
    write_atomic(folder / HASH_FILE, json.dumps({"weights_sha256": weights_sha256(plain)}) + "\n")


def load(folder: epath.Path, model: keras.Model) -> None:
    """Reads back what `save` wrote.

    Raises:
      UserError: the file is missing, or is not of this network.
    """
    load_weights(model, folder / WEIGHTS_FILE)


def trained(folder: epath.Path, backbone: BackboneInfo | None) -> BackboneInfo | None:
    """What the run in `folder` takes its features from: `backbone`, with the weights that the run trained, if it did.

    Raises:
      UserError: backbone.json is damaged.
    """
    path = folder / HASH_FILE
    if backbone is None or not path.exists():
        return backbone
    try:
        sha256 = json.loads(regular_files.read_text(path))["weights_sha256"]
        if not isinstance(sha256, str):
            raise ValueError(f"its weights_sha256 is {sha256!r}, expected text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is not what train writes ({error}); restore it, or train again with --fresh") \
            from error
    return dataclasses.replace(backbone, weights=str(folder / WEIGHTS_FILE), weights_sha256=sha256)
