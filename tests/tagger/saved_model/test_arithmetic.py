import pytest

from tagger.saved_model import arithmetic


def test_written_and_read(tmp_path):
    arithmetic.write(tmp_path, "mixed_bfloat16")
    assert arithmetic.read(tmp_path) == "mixed_bfloat16"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"precision": "float8"}'])
def test_exports_of_before_compute_in_float32(tmp_path, text):
    assert arithmetic.read(tmp_path) == "float32" and arithmetic.slow_here(tmp_path) is None
    arithmetic.write(tmp_path, "mixed_bfloat16")
    (tmp_path / "assets.extra" / "arithmetic.json").write_text(text)
    assert arithmetic.read(tmp_path) == "float32"
