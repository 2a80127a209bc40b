import pytest

from records.util.cpu import multiplies_bfloat16, slow_in_bfloat16


@pytest.mark.parametrize("features, fast", [
    ("avx2 avx512f avx512_bf16", True), ("avx512f amx_bf16 amx_tile", True), ("avx2 avx512f amx_tile", False)])
def test_instructions_are_read_from_the_list_of_the_system(tmp_path, features, fast):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {features}\n")
    assert multiplies_bfloat16(str(tmp_path / "cpuinfo")) == fast
    warning = slow_in_bfloat16("--precision=mixed_bfloat16", str(tmp_path / "cpuinfo"))
    assert warning is None if fast else warning.startswith("--precision=mixed_bfloat16: this CPU has neither")


def test_a_system_without_that_list_is_taken_to_be_fast(tmp_path):
    assert multiplies_bfloat16(str(tmp_path / "none"))
