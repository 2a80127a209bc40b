"""Line charts as inline SVG whose colours come from the page's CSS, so that they follow light and dark.

    line_chart([Series("train", [1, 2, 3], [4.1, 3.5, 3.2])], "epoch", "loss", mark=2)
"""

import dataclasses
import math
from collections.abc import Sequence

from tagger.reporting.markup import Html, tag

_HEIGHT = 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 16, 14, 40


@dataclasses.dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
      name: what the legend and the points' tooltips call it.
      x, y: equally many numbers.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten) from the first at or below `low` to `high`."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= span / count * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)
    result = [10.0 ** power for power in powers]
    return result if len(result) > 1 else [result[0] / 10, result[0], result[0] * 10]  # a constant is no axis


def _number(value: float) -> str:
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def _style(number: int) -> str:
    """Classes of a line: eight colours, then the same ones dashed, then dotted."""
    return f"c{number % 8} d{number // 8 % 3}"


def line_chart(series: Sequence[Series], x_label: str, y_label: str, mark: float | None = None,
               log: bool = False, from_zero: bool = False, width: int = 500) -> Html:
    """An SVG element of the given lines; points that are not finite are left out.

    Args:
      mark: an x that a dashed line marks as "best".
      log: logarithmic y axis; needs positive y.
      from_zero: the y axis starts at 0.
      width: of the drawing, in units of which its text is 12 high; the page scales it to the room there is.
    """
    points = [[(x, y) for x, y in zip(s.x, s.y, strict=True) if math.isfinite(y) and (y > 0 or not log)]
              for s in series]
    xs, ys = [x for line in points for x, _ in line], [y for line in points for _, y in line]
    if not xs:
        return tag("p", "No points yet.", class_="quiet")
    y_ticks = _log_ticks(min(ys), max(ys)) if log else ticks(0 if from_zero else min(ys), max(ys))
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    low, high = ((math.log10(y_ticks[0]), math.log10(y_ticks[-1])) if log else (y_ticks[0], y_ticks[-1]))

    def at_x(x: float) -> float:
        return _LEFT + (x - x_low) / (x_high - x_low) * (width - _LEFT - _RIGHT)

    def at_y(y: float) -> float:
        place = ((math.log10(y) if log else y) - low) / (high - low)
        return _HEIGHT - _BOTTOM - place * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for y in y_ticks:
        parts += [tag("line", class_="grid", x1=_LEFT, x2=width - _RIGHT, y1=f"{at_y(y):.1f}", y2=f"{at_y(y):.1f}"),
                  tag("text", _number(y), x=_LEFT - 8, y=f"{at_y(y) + 4:.1f}", text_anchor="end")]
    for x in (x for x in ticks(x_low, x_high, 8) if x_low <= x <= x_high and x == int(x)):
        parts.append(tag("text", _number(x), x=f"{at_x(x):.1f}", y=_HEIGHT - _BOTTOM + 18, text_anchor="middle"))
    parts.append(tag("text", x_label, x=width - _RIGHT, y=_HEIGHT - 4, text_anchor="end"))
    if mark is not None:
        anchor, shift = ("end", -6) if at_x(mark) > width / 2 else ("start", 6)
        parts += [tag("line", class_="mark", x1=f"{at_x(mark):.1f}", x2=f"{at_x(mark):.1f}", y1=_TOP,
                      y2=_HEIGHT - _BOTTOM),
                  tag("text", f"best, {x_label} {_number(mark)}", class_="strong", x=f"{at_x(mark) + shift:.1f}",
                      y=_TOP + 10, text_anchor=anchor)]
    for i, (curve, line) in enumerate(zip(series, points, strict=True)):
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line)
        parts.append(tag("polyline", class_=f"line {_style(i)}", points=path))
        if len(line) <= 100:
            parts += [tag("circle", tag("title", f"{curve.name}, {x_label} {_number(x)}: {_number(y)}"),
                          class_=f"dot {_style(i)}", cx=f"{at_x(x):.1f}", cy=f"{at_y(y):.1f}", r=3) for x, y in line]
    legend = [tag("span", tag("i", class_=_style(i)), curve.name, class_="key") for i, curve in enumerate(series)]
    return tag("figure", tag("figcaption", y_label, legend if len(series) > 1 else None),
               tag("svg", parts, viewBox=f"0 0 {width} {_HEIGHT}", role="img", aria_label=f"{y_label} by {x_label}"))
