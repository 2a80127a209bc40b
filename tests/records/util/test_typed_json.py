import dataclasses
from typing import Annotated

import pytest

from records.util.typed_json import Count, between, loads, read


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    share: Annotated[float, between(0, 1)]
    sizes: tuple[Count, ...] = ()
    note: str | None = None


def test_what_fits_is_read():
    assert read(Part, {"name": "a", "share": 1, "sizes": [1, 2]}, "part") == (Part("a", 1.0, (1, 2)), [])
    assert read(dict[str, Part], {"x": {"name": "a", "share": 0.5, "note": None}}, "it") == ({"x": Part("a", 0.5)}, [])


@pytest.mark.parametrize(("value", "fault"), [
    ({"name": "a"}, "part lacks share"), ({"name": 1, "share": 0.5}, "part.name is 1, expected a text"),
    ({"name": "a", "share": 2}, "part.share is 2, expected 0 to 1"),
    ({"name": "a", "share": True}, "part.share is True, expected a number"),
    ({"name": "a", "share": 0, "sizes": [True]}, "part.sizes[0] is True, expected an integer"),
    ({"name": "a", "share": 0, "sizes": [1, -1]}, "part.sizes[1] is -1, expected 0 to 9,223,372,036,854,775,807"),
    ({"name": "a", "share": 0, "extra": 1}, "part has 'extra', which is unknown"), ([], "part is [], expected a JSON")])
def test_what_does_not_fit_is_said(value, fault):
    result, faults = read(Part, value, "part")
    assert result is None and faults[0].startswith(fault) and len(faults) == 1


@pytest.mark.parametrize("text", ["{", "NaN", "1e999", "[" * 100_000, '"\\ud800\\ud800"', b"\xff"])
def test_no_json_that_anything_can_use(text):
    with pytest.raises(ValueError):
        loads(text)


def test_infinite_numbers_where_they_are_asked_for():
    assert loads("[Infinity, 1e999]", infinite=True) == [float("inf"), float("inf")]
