import pytest

from tagger.training.lr_schedule import scale


def rates(name: str, warmup: int, total: int) -> list[float]:
    return [float(scale(name, update, warmup, total)) for update in range(total + 1)]


def test_constant():
    assert rates("constant", 0, 3) == [1, 1, 1, 1]


def test_warmup_rises_linearly():
    assert rates("constant", 4, 6) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1])


def test_cosine_ends_at_zero():
    found = rates("cosine", 2, 10)
    assert found[:3] == pytest.approx([0.5, 1, 1])
    assert found[6] == pytest.approx(0.5)
    assert found[10] == pytest.approx(0, abs=1e-6)
    assert all(a > b for a, b in zip(found[2:], found[3:], strict=False))
