import os

import numpy as np
import pytest
from etils import epath

from flags.errors import UserError
from records.backbones.registry import load_encoder
from records.backbones.weights import weights_sha256
from records.format.manifest import BackboneInfo
from tagger.runs import trained_backbone

INFO = BackboneInfo("tests.records.backbones.networks:named", "", "0" * 64, 16, 96, "-1..1", "float32")


def build():
    return load_encoder(INFO.name).build(trainable=True)


def test_saved_loaded_and_known_by_its_hash(tmp_path):
    folder, model = epath.Path(tmp_path), build()
    assert trained_backbone.trained(folder, INFO) is INFO and trained_backbone.trained(folder, None) is None
    model.weights[0].assign(model.weights[0] * 2)
    trained_backbone.save(folder, model, build())
    again = build()
    assert np.any(again.weights[0] != model.weights[0])
    trained_backbone.load(folder, again)
    for weight, expected in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    info = trained_backbone.trained(folder, INFO)
    assert info.weights == str(tmp_path / "backbone.weights.h5") and info.weights_sha256 == weights_sha256(model)
    assert (info.name, info.feature_size, info.preprocessing) == (INFO.name, 16, "-1..1")


@pytest.mark.parametrize("text", ["{}", "[]", '{"weights_sha256": 3}', "{"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "backbone.json").write_text(text)
    with pytest.raises(UserError, match="backbone.json: is not what train writes"):
        trained_backbone.trained(epath.Path(tmp_path), INFO)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "backbone.json")
    with pytest.raises(UserError, match="backbone.json: is not what train writes .*named pipe"):
        trained_backbone.trained(epath.Path(tmp_path), INFO)
