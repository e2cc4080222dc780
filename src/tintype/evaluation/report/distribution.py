"""The chart of how a model fares picture by picture: a histogram, and a box below it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tintype.evaluation.report.findings import PSNR, gain_values, grey_of, models
from tintype.evaluation.report.markup import Markup, compact, element
from tintype.evaluation.report.svg import (
    BOTTOM,
    RIGHT,
    TOP,
    Scale,
    Series,
    chart,
    label,
    line,
    series_of,
    shortened,
    x_axis,
)
from tintype.evaluation.report.wording import number
from tintype.evaluation.results import Results

_BINS = 48
_LANE, _HILL = 82.0, 36.0
_EDGE = 14.0


def distribution(results: Results) -> Markup | None:
    """Each model's PSNR over grey, or PSNR where there is no grey row, of every picture."""
    over_grey = grey_of(results) is not None
    lanes: dict[str, list[float]] = {}
    for row in models(results):
        plain = [v for v in row.values.get(PSNR, ()) if math.isfinite(v)]
        if values := gain_values(results, row) if over_grey else plain:
            lanes[row.label] = values
    if not lanes:
        return None
    everything = [value for values in lanes.values() for value in values]
    x = Scale.around([*everything, *([0.0] if over_grey else [])], _EDGE, RIGHT, ticks=8)
    counted = {each: _histogram(values, x) for each, values in lanes.items()}
    tallest = max(max(heights) for heights in counted.values())
    top, floor = TOP - 20, TOP - 20 + _LANE * len(lanes)
    title = "PSNR over grey, dB" if over_grey else "PSNR, dB"
    parts = [x_axis(x, top, floor, title)]
    if over_grey:
        parts.append(line(x(0), top, x(0), floor, "zero"))
    for i, (each, values) in enumerate(lanes.items()):
        heights = [_HILL * height / tallest for height in counted[each]]
        said = _gaining(values) if over_grey else f"median {number(_quantile(values, 0.5), 1)} dB"
        series = series_of(results)[each]
        parts += _lane(each, said, series, values, heights, x, top + _LANE * i)
    return chart(floor + BOTTOM, f"{title}, picture by picture, of {', '.join(lanes)}", parts)


def _gaining(values: Sequence[float]) -> str:
    share = 100 * sum(value > 0 for value in values) / len(values)
    return f"{share:.0f} % better than grey"


def _histogram(values: Sequence[float], x: Scale) -> list[int]:
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((value - x.low) / (x.high - x.low) * _BINS))] += 1
    return counts


def _lane(
    name: str,
    said: str,
    series: Series,
    values: Sequence[float],
    heights: Sequence[float],
    x: Scale,
    top: float,
) -> Iterator[Markup]:
    """One model: its name, its histogram, and a box from the 5th to the 95th percentile."""
    yield label(x.start, top + 14, shortened(name, 30), "named")
    yield label(x.end, top + 14, said, "", "end")
    base = top + 20 + _HILL
    width = (x.end - x.start) / _BINS
    steps = "".join(
        f"V{compact(base - height)}H{compact(x.start + width * (i + 1))}"
        for i, height in enumerate(heights)
    )
    outline = f"M{compact(x.start)} {compact(base)}{steps}V{compact(base)}Z"
    yield element("path", {"class": f"hill {series.kind}", "d": outline})
    y = base + 10
    ends = [x(_quantile(values, part)) for part in (0.05, 0.25, 0.5, 0.75, 0.95)]
    yield line(ends[0], y, ends[4], y, f"whisker {series.kind}")
    box: dict[str, str | float] = {"x": ends[1], "y": y - 4, "width": ends[3] - ends[1]}
    yield element("rect", box | {"height": 8, "rx": 2, "class": f"box {series.kind}"})
    yield line(ends[2], y - 6, ends[2], y + 6, "median")


def _quantile(values: Sequence[float], part: float) -> float:
    """By linear interpolation between the values in order."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
