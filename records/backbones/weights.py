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
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import keras
import numpy as np
from etils import epath

from flags.errors import UserError
from records.util import regular_files

Arrays = list[np.ndarray]
TRAINED_FILE = "backbone.weights.h5"  # of a run folder whose training changed the backbone


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
        if not all(np.isfinite(array).all() for array in arrays or ()):
            raise UserError(f"{where}: the weights of the layer {layer.name} hold NaN or infinity; give a file whose "
                            "training ended well")
    for layer, arrays in zip(layers, found, strict=True):
        layer.set_weights(arrays)
        if hasattr(layer, "finalize_state"):  # a Normalization computes with copies of its weights
            layer.finalize_state()


def weights_sha256(model: keras.Model) -> str:
    """Hex SHA-256 over the values of all weights: float32 little-endian, each after a line with its path and shape.

    The values are hashed and not the file, so the same weights have the same hash in any container, downloaded or
    given; weights that were rounded to float16 on the way are different weights.
    """
    digest = hashlib.sha256()
    for path, weight in _paths(model):
        digest.update(f"{path} {tuple(weight.shape)}\n".encode())
        digest.update(np.ascontiguousarray(weight.numpy(), dtype="<f4").tobytes())
    return digest.hexdigest()


def _paths(model: keras.Model) -> Iterator[tuple[str, keras.Variable]]:
    """Every weight with its path; what Keras named is numbered from the first of its kind in this model.

    Keras counts per process: the same network has a conv2d_7 if others with seven were made before it.
    """
    kinds = {"variable", *(_kind(layer) for layer in model._flatten_layers())}
    numbers: dict[str, dict[str, str]] = {}
    for weight in model.weights:
        parts = weight.path.removeprefix(f"{model.name}/").split("/")
        for place, part in enumerate(parts):
            kind = re.sub(r"_\d+$", "", part)
            if kind in kinds:
                seen = numbers.setdefault(kind, {})
                parts[place] = seen.setdefault(part, f"{kind}_{len(seen)}" if seen else kind)
        yield "/".join(parts), weight


def _kind(layer: keras.layers.Layer) -> str:
    """What Keras calls layers of a class: conv2d, depthwise_conv2d."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()


def _layers_with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def _arrays(file: h5py.File, model: keras.Model) -> list[Arrays | None]:
    """The arrays for each layer of `model` that has weights, in the order of `layer.weights`; None where missing."""
    root = file["model_weights"] if "model_weights" in file else file
    if "layer_names" in root.attrs:
        return _older_layout(root, model)
    if "layers" in file:
        return _keras_3_layout(file["layers"], model.layers)
    raise ValueError(f"its top holds {sorted(file)[:4]}")


def _keras_3_layout(stored: h5py.Group, layers: Sequence[keras.layers.Layer]) -> list[Arrays | None]:
    seen: Counter[str] = Counter()
    result: list[Arrays | None] = []
    for layer in layers:
        kind = _kind(layer)
        name = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        if layer.weights:
            result.append(_arrays_of(stored[name], layer) if name in stored else None)
    return result


def _arrays_of(stored: h5py.Group, layer: keras.layers.Layer) -> Arrays | None:
    """The arrays of one layer, in the order of `layer.weights`: its own, then those of the layers inside it."""
    own = stored["vars"] if "vars" in stored else {}
    arrays = [_floats(own[str(i)]) for i in range(len(own))]
    if isinstance(layer, keras.Model) and "layers" in stored:
        inner = _keras_3_layout(stored["layers"], layer.layers)
        if None in inner:
            return None
        arrays += [array for part in inner for array in part or ()]
    return arrays or None


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
