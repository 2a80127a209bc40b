"""An export asked by saved_model_cli, which comes with TensorFlow."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

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


def use_the_cli(export: SavedModel, version: pathlib.Path, tmp_path: pathlib.Path, executable: pathlib.Path,
                shown: Sequence[str], signatures: Sequence[str]) -> None:
    data = photos(2)
    np.save(tmp_path / "images.npy", np.array([data[0], b"broken", data[1]]))
    text = cli(version, tmp_path, executable, "show", *shown)
    assert re.search(r"inputs\['image_bytes'\] tensor_info:\n +dtype: DT_STRING\n +shape: \(-1\)\n", text)
    expected = [answer["caption"] for answer in export.answer(data)]
    for signature in signatures:
        cli(version, tmp_path, executable, "run", "--tag_set", "serve", "--signature_def", signature,
            "--inputs", "image_bytes=images.npy", "--outdir", str(tmp_path / signature))
        assert np.load(tmp_path / signature / "valid.npy").tolist() == [True, False, True]
        captions = np.load(tmp_path / signature / "caption.npy", allow_pickle=True)
        assert [caption.decode() for caption in captions] == [expected[0], "", expected[1]]


def test_saved_model_cli(plain, version, tmp_path):
    """A request leaves its options out; that of the README, which has none, is in test_exported_readme.py."""
    use_the_cli(plain, version, tmp_path, pathlib.Path(sys.executable).with_name("saved_model_cli"),
                ["--tag_set", "serve", "--signature_def", "serving_default"], ["serving_default_with_options"])


@pytest.mark.slow
def test_saved_model_cli_where_only_tensorflow_is_installed(plain, version, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", f"tensorflow=={tf.__version__}"], check=True)
    use_the_cli(plain, version, tmp_path, tmp_path / "venv/bin/saved_model_cli", ["--all"],
                ["serving_default", "serving_default_with_options"])
