import pytest

from records.util.counted import counted


@pytest.mark.parametrize("number, text", [(0, "0 photos"), (1, "1 photo"), (2, "2 photos"), (12000, "12,000 photos")])
def test_counted(number, text):
    assert counted(number, "photo") == text
