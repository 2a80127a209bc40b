import json

import h5py
import pytest

from flags.errors import UserError
from tagger.runs import run_id


def weights(path, name):
    with h5py.File(path, "w") as file:
        file["bias"] = [1.0]
    run_id.write_to_weights(str(path), name)
    return path


def test_the_name_in_a_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"run_id": "abc"}))
    assert run_id.of_config(tmp_path / "config.json") == "abc" and run_id.of_config(tmp_path / "nowhere") is None
    for text in ("{}", "[]", "{", '{"run_id": 3}'):
        (tmp_path / "config.json").write_text(text)
        assert run_id.of_config(tmp_path / "config.json") is None
    assert run_id.new() != run_id.new()


def test_the_name_in_weights(tmp_path):
    assert run_id.of_weights(weights(tmp_path / "a.h5", "abc").read_bytes()) == "abc"
    assert run_id.of_weights(weights(tmp_path / "b.h5", None).read_bytes()) is None
    with pytest.raises(OSError):
        run_id.of_weights(b"no weights")


@pytest.mark.parametrize(("name", "said"), [("other", "is of run other, "), (None, "is of a run without a name, ")])
def test_a_file_of_another_run_is_refused(tmp_path, name, said):
    config = tmp_path / "config.json"
    config.write_text('{"run_id": "abc"}')
    run_id.check_same("best.weights.h5", "abc", config)
    with pytest.raises(UserError, match=f"best.weights.h5: {said}.*config.json is of run abc: one of the two"):
        run_id.check_same("best.weights.h5", name, config)
