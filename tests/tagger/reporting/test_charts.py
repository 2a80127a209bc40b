"""Charts are well-formed, inside their box and the right way up."""

import xml.etree.ElementTree

import pytest

from tagger.reporting.charts import Series, line_chart, ticks


@pytest.mark.parametrize(("low", "high", "expected"), [
    (0, 10, [0, 2, 4, 6, 8, 10]), (2.6, 4.9, [2.5, 3, 3.5, 4, 4.5, 5]), (3, 3, [3, 4]), (-1, 1, [-1, -0.5, 0, 0.5, 1])])
def test_ticks_are_round_and_enclose_the_data(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("y", [[3.2, 2.1, 2.4], [1.0, 1.0, 1.0], [1e-3, 2e-4, 1e-8], [float("nan"), 2.0, 1.0], [7.0]])
@pytest.mark.parametrize("log", [False, True])
def test_a_chart_is_well_formed_and_inside_its_box(y, log):
    chart = line_chart([Series("a < b", range(1, len(y) + 1), y)], "epoch", "loss", mark=1, log=log)
    svg = xml.etree.ElementTree.fromstring(chart).find("svg")
    width, height = map(float, svg.get("viewBox").split()[2:])
    points = [point.split(",") for line in svg.findall("polyline") for point in line.get("points").split()]
    assert len(points) == sum(value == value for value in y)
    assert all(0 <= float(px) <= width and 0 <= float(py) <= height for px, py in points)


def test_a_higher_value_is_drawn_higher():
    svg = xml.etree.ElementTree.fromstring(line_chart([Series("a", [1, 2], [1.0, 2.0])], "x", "y")).find("svg")
    first, second = (float(p.split(",")[1]) for p in svg.find("polyline").get("points").split())
    assert second < first


def test_a_constant_on_a_logarithmic_axis_is_a_line_in_the_middle():
    chart = line_chart([Series("rate", [1, 2, 3], [1e-3] * 3)], "epoch", "learning rate", log=True)
    svg = xml.etree.ElementTree.fromstring(chart).find("svg")
    heights = [float(line.get("y1")) for line in svg.iter("line") if line.get("class") == "grid"]
    (drawn,) = {point.partition(",")[2] for point in svg.find("polyline").get("points").split()}
    assert min(heights) + 20 < float(drawn) < max(heights) - 20
