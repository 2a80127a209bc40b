"""Weight files: either layout, any float type, with or without the classifier; anything else is one clear line."""

import h5py
import keras
import numpy as np
import pytest

from flags.errors import UserError
from records.backbones.weights import load_weights, weights_sha256
from tests.records.inputs import DEMO

EMBEDDED = DEMO / "mobilenet_v2_notop_float16.weights.h5"


def small(top: bool = False, units: int = 4, names: str = "") -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name=f"{names}conv")(image)
    x = keras.layers.BatchNormalization(name=f"{names}norm")(x)
    x = keras.layers.ReLU(name=f"{names}relu")(x)
    x = keras.layers.DepthwiseConv2D(3, name=f"{names}depthwise")(x)
    x = keras.layers.Conv2D(units, 1, use_bias=False, name=f"{names}last")(x)
    x = keras.layers.GlobalAveragePooling2D(name=f"{names}pool")(x)
    return keras.Model(image, keras.layers.Dense(7, name=f"{names}top")(x) if top else x, name="small")


@pytest.fixture
def trained() -> keras.Model:
    model = small(top=True)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(generator.normal(size=weight.shape))
    return model


@pytest.mark.parametrize("file", ["model.weights.h5", "older.h5"])
@pytest.mark.parametrize("names", ["", "renamed_"])
def test_both_layouts_with_a_top_fill_a_model_without(trained, tmp_path, file, names):
    if file == "older.h5":
        write_older_layout(trained, tmp_path / file)
    else:
        trained.save_weights(tmp_path / file)
    model = small(names=names)
    load_weights(model, tmp_path / file)
    for found, expected in zip(model.weights, trained.weights, strict=False):
        np.testing.assert_array_equal(found, expected)


def test_float16_values_are_widened(trained, tmp_path):
    trained.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
        values = file["layers/conv2d/vars/0"][()].astype(np.float16)
        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = values
    model = small()
    load_weights(model, tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(model.weights[0], values.astype(np.float32))


def test_the_hash_is_of_the_values_and_not_of_the_file(trained, tmp_path):
    write_older_layout(trained, tmp_path / "older.h5")
    trained.save_weights(tmp_path / "model.weights.h5")
    hashes = set()
    for file in ("older.h5", "model.weights.h5"):
        model = small()
        load_weights(model, tmp_path / file)
        hashes.add(weights_sha256(model))
    assert len(hashes) == 1
    model.weights[3].assign(model.weights[3] + 1e-6)
    assert weights_sha256(model) not in hashes


def test_another_networks_file_is_named_with_what_differs(trained, tmp_path):
    trained.save_weights(tmp_path / "model.weights.h5")
    model = small(units=5)
    before = [weight.numpy() for weight in model.weights]
    with pytest.raises(UserError, match=r"no weights of small: its layer last expects .*\(1, 1, 4, 5\).* found .*4, 4"):
        load_weights(model, tmp_path / "model.weights.h5")
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)  # nothing is half loaded
    with pytest.raises(UserError, match="--backbone_weights=.*its layer .* expects"):
        load_weights(model, EMBEDDED)


def _no_layers(path):
    with h5py.File(path, "w") as file:
        file["numbers"] = np.arange(3)


@pytest.mark.parametrize("write, said", [
    (lambda path: None, "cannot be read"),
    (lambda path: path.mkdir(), "cannot be read"),
    (lambda path: path.write_bytes(b""), "the file is empty"),
    (lambda path: path.write_text("<html>404</html>"), "no HDF5 file"),
    (lambda path: path.write_bytes(EMBEDDED.read_bytes()[:100_000]), "damaged"),
    (_no_layers, r"no Keras file.*\['numbers'\]")])
def test_an_unreadable_file_is_one_line(tmp_path, write, said):
    path = tmp_path / "some.weights.h5"
    write(path)
    with pytest.raises(UserError, match=said) as error:
        load_weights(small(), path)
    assert str(path) in str(error.value) and "small" in str(error.value)


def write_older_layout(model: keras.Model, path) -> None:
    """What Keras 2 wrote, and keras.applications still distributes."""
    layers = [layer for layer in model.layers]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{weight.name}:0".encode() for weight in layer.weights]
            for weight in layer.weights:
                group[f"{layer.name}/{weight.name}:0"] = weight.numpy()
