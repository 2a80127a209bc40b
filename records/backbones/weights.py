"""Reads Keras weight files of any age, strictly: every array is found and fits, or one line says why not.

Two layouts exist. Both are read from any path that etils knows, with arrays of any float type:
  * `NAME.weights.h5` of Keras 3: /layers/conv2d_3/vars/0, layers counted per class in the model's order.
  * the older `NAME.h5` (the files of keras.applications): a list `layer_names`, each a group with `weight_names`.
A file with the classifier on top serves a model without it: what the model has no layer for is left alone.
"""

import hashlib
import io
import re
from collections import Counter
from typing import Any

import h5py
import keras
import numpy as np
from etils import epath

from flags.errors import UserError
from records.util import regular_files

Arrays = list[np.ndarray]


def load_weights(model: keras.Model, path: epath.PathLike) -> None:
    """Sets every weight of `model` from the HDF5 file at `path`, converted to the weight's own dtype.

    Raises:
      UserError: the file cannot be read, is not HDF5, or holds other layers than `model` has; the message names the
        file, the model, and the first layer that differs with the shapes found and expected.
    """
    where = f"--backbone_weights={path}"
    try:
        data = regular_files.read_bytes(path)
    except OSError as error:
        raise UserError(f"{where}: the file cannot be read ({error.strerror or error}); give the path of a Keras "
                        f"weights file for {model.name}") from error
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found = _arrays(file, model)
    except (OSError, KeyError, RuntimeError, ValueError, AttributeError) as error:
        kind = "damaged, or no Keras file" if data.startswith(b"\x89HDF") else "no HDF5 file" if data else "empty"
        raise UserError(f"{where}: the file is {kind} ({len(data):,} bytes; {error}); expected Keras weights "
                        f"for {model.name}") from error
    layers = _layers_with_weights(model)
    for layer, arrays in zip(layers, found, strict=True):
        expected = [tuple(weight.shape) for weight in layer.weights]
        shapes = None if arrays is None else [array.shape for array in arrays]
        if shapes != expected:
            raise UserError(f"{where}: these are no weights of {model.name}: its layer {layer.name} expects arrays "
                            f"of shapes {expected}, found {'none' if shapes is None else shapes}")
    for layer, arrays in zip(layers, found, strict=True):
        layer.set_weights(arrays)


def weights_sha256(model: keras.Model) -> str:
    """Hex SHA-256 over the values of all weights: float32 little-endian, each after a line with its path and shape.

    The values are hashed and not the file, so the same weights have the same hash in any container, downloaded or
    given; weights that were rounded to float16 on the way are different weights.
    """
    digest = hashlib.sha256()
    for weight in model.weights:
        path = weight.path.removeprefix(f"{model.name}/")
        digest.update(f"{path} {tuple(weight.shape)}\n".encode())
        digest.update(np.ascontiguousarray(weight.numpy(), dtype="<f4").tobytes())
    return digest.hexdigest()


def _layers_with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _arrays(file: h5py.File, model: keras.Model) -> list[Arrays | None]:
    """The arrays for each layer of `model` that has weights, in the order of `layer.weights`; None where missing."""
    root = file["model_weights"] if "model_weights" in file else file
    if "layer_names" in root.attrs:
        return _older_layout(root, model)
    if "layers" in file:
        return _keras_3_layout(file["layers"], model)
    raise ValueError(f"its top holds {sorted(file)[:4]}")


def _keras_3_layout(layers: h5py.Group, model: keras.Model) -> list[Arrays | None]:
    seen: Counter[str] = Counter()
    result: list[Arrays | None] = []
    for layer in model.layers:
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        name = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        if layer.weights:
            stored = layers[name]["vars"] if name in layers else {}
            result.append([_floats(stored[str(i)]) for i in range(len(stored))] or None)
    return result


def _older_layout(root: h5py.Group, model: keras.Model) -> list[Arrays | None]:
    def text(name: Any) -> str:
        return name.decode() if isinstance(name, bytes) else name

    stored: dict[str, Arrays] = {}
    for layer_name in map(text, root.attrs["layer_names"]):
        group = root[layer_name]
        arrays = [_floats(group[text(name)]) for name in group.attrs["weight_names"]]
        if arrays:
            stored[layer_name] = arrays
    layers = _layers_with_weights(model)
    if all(layer.name in stored for layer in layers):
        return [stored[layer.name] for layer in layers]
    # Layers were renamed since some of these files were written; their order was not changed.
    in_order: list[Arrays | None] = [*stored.values()]
    return (in_order + [None] * len(layers))[:len(layers)]


def _floats(dataset: h5py.Dataset) -> np.ndarray:
    return np.asarray(dataset[()], np.float32)
