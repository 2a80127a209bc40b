"""An export asked by saved_model_cli, which comes with TensorFlow."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tagger.saved_model.loaded import SavedModel
from tests.tagger.saved_model.exported import photos


def cli(version: pathlib.Path, tmp_path: pathlib.Path, executable: pathlib.Path, *arguments: str) -> str:
    """saved_model_cli in a folder of its own, with none of this project on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run([executable, arguments[0], "--dir", version, *arguments[1:]], cwd=tmp_path, text=True,
                            capture_output=True, env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"}, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def use_the_cli(version: pathlib.Path, tmp_path: pathlib.Path, executable: pathlib.Path) -> None:
    data = photos(2)
    np.save(tmp_path / "images.npy", np.array([data[0], b"broken", data[1]]))
    shown = cli(version, tmp_path, executable, "show", "--all")
    assert "inputs['image_bytes'] tensor_info:\n        dtype: DT_STRING\n        shape: (-1)" in shown
    expected = [answer["caption"] for answer in SavedModel(version).answer(data)]
    for signature in ("serving_default", "serving_default_with_options"):  # the second one leaves its options out
        cli(version, tmp_path, executable, "run", "--tag_set", "serve", "--signature_def", signature,
            "--inputs", "image_bytes=images.npy", "--outdir", str(tmp_path / signature))
        assert np.load(tmp_path / signature / "valid.npy").tolist() == [True, False, True]
        captions = np.load(tmp_path / signature / "caption.npy", allow_pickle=True)
        assert [caption.decode() for caption in captions] == [expected[0], "", expected[1]]


def test_saved_model_cli(version, tmp_path):
    use_the_cli(version, tmp_path, pathlib.Path(sys.executable).with_name("saved_model_cli"))


@pytest.mark.slow
def test_saved_model_cli_where_only_tensorflow_is_installed(version, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", f"tensorflow=={tf.__version__}"], check=True)
    use_the_cli(version, tmp_path, tmp_path / "venv/bin/saved_model_cli")
