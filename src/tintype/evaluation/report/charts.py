"""The charts of the report: accuracy curves, colour against accuracy, and skin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tintype.evaluation.report.findings import COLOURFULNESS, PSNR, gains
from tintype.evaluation.report.markup import Markup, element, join
from tintype.evaluation.report.skin import too_few
from tintype.evaluation.report.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    Series,
    chart,
    label,
    legend_of,
    line,
    series_of,
    shortened,
    x_axis,
    y_axis,
)
from tintype.evaluation.report.wording import count
from tintype.evaluation.results import Figure, Results, Row, SkinGroup

_HEIGHT = 300.0
_FLOOR = _HEIGHT - BOTTOM
_ALMOST_ALL = 0.99


def legend(results: Results, labels: Sequence[str]) -> Markup:
    """Which line and marker is whose, as a list."""
    looks = series_of(results)
    return legend_of({each: looks[each] for each in labels})


def curves(results: Results, *, rebalanced: bool) -> Markup | None:
    """Accuracy against the threshold, up to where nearly all pixels are within it.

    Args:
        results: the run.
        rebalanced: every class of colour weighs the same, instead of every pixel.

    Returns:
        None when nobody has such a curve.
    """
    drawn = {
        row.label: curve
        for row in results.rows
        if (curve := row.curve_rebalanced if rebalanced else row.curve)
    }
    if not drawn:
        return None
    limit = shown_thresholds(list(drawn.values()))
    x = Scale(0, limit, LEFT, RIGHT, 10 if limit <= 80 else 25)
    y = Scale(0, 100, _FLOOR, TOP, 20)
    counted = "Every colour counts alike" if rebalanced else "Every pixel counts alike"
    looks = series_of(results)
    lines = [
        looks[each].line((x(t), y(100 * curve[t])) for t in range(min(limit + 1, len(curve))))
        for each, curve in drawn.items()
    ]
    axes = [
        x_axis(x, TOP, _FLOOR, "threshold, ab units"),
        y_axis(y, LEFT, RIGHT, f"{counted}: % within the threshold"),
    ]
    kind = "Rebalanced accuracy" if rebalanced else "Accuracy"
    return chart(_HEIGHT, f"{kind} curves of {', '.join(drawn)}", [*axes, *lines])


def shown_thresholds(drawn: Sequence[Sequence[float]]) -> int:
    """The threshold from which on every curve is above 99 %, rounded up; 50 to 150."""
    last = max(sum(part < _ALMOST_ALL for part in curve) for curve in drawn)
    limit = max(50, math.ceil(last / 10) * 10)
    return limit if limit <= 80 else min(150, math.ceil(limit / 25) * 25)


@dataclass(frozen=True)
class _Point:
    """A model in the scatter."""

    row: Row
    colour: Figure
    accuracy: Figure


def scatter(results: Results) -> Markup | None:
    """Colourfulness against PSNR over grey, or against PSNR where there is no grey row.

    The oracle is left out: it would press all others into a corner.
    """
    over_grey = gains(results)
    points = [
        _Point(row, row.figures[COLOURFULNESS], accuracy)
        for row in results.rows
        if row.kind == "model" or (row.kind == "grey" and not over_grey)
        if COLOURFULNESS in row.figures
        if (accuracy := over_grey.get(row.label) or row.figures.get(PSNR)) is not None
    ]
    if not points:
        return None
    true = results.protocol.true_figures.get(COLOURFULNESS)
    across = [v for p in points for v in (p.colour.low, p.colour.high)]
    x = Scale.around([*across, 0.0 if true is None else true], LEFT, RIGHT)
    upwards = [v for p in points for v in (p.accuracy.low, p.accuracy.high)]
    y = Scale.around([*upwards, *([0.0] if over_grey else [])], _FLOOR, TOP)
    title = "PSNR over grey, dB" if over_grey else "PSNR, dB"
    parts = [x_axis(x, TOP, _FLOOR, "colourfulness"), y_axis(y, LEFT, RIGHT, title)]
    if true is not None:
        parts += [
            line(x(true), TOP, x(true), _FLOOR, "truth"),
            label(x(true) - 6, _FLOOR - 8, "the truth", "named", "end"),
        ]
    if over_grey:
        parts.append(line(LEFT, y(0), RIGHT, y(0), "zero"))
    parts += [*_strengths(points, x, y), *_placed(points, series_of(results), x, y)]
    names = ", ".join(point.row.label for point in points)
    return chart(_HEIGHT, f"{title} against colourfulness of {names}", parts)


def _strengths(points: Sequence[_Point], x: Scale, y: Scale) -> Iterator[Markup]:
    """Thin lines between the strengths of one model."""
    weights = {point.row.sha256 for point in points if point.row.sha256}
    for sha256 in sorted(weights):
        same = [point for point in points if point.row.sha256 == sha256]
        same.sort(key=lambda point: point.row.strength)
        for one, other in pairwise(same):
            ends = [(x(p.colour.value), y(p.accuracy.value)) for p in (one, other)]
            yield line(*ends[0], *ends[1], "tie")


def _placed(
    points: Sequence[_Point], looks: dict[str, Series], x: Scale, y: Scale
) -> Iterator[Markup]:
    """Whiskers, markers, and those names that find a place where they cover nothing."""
    for point in points:
        px, py = x(point.colour.value), y(point.accuracy.value)
        series = looks[point.row.label]
        whisker = f"whisker {series.kind}"
        yield line(x(point.colour.low), py, x(point.colour.high), py, whisker)
        yield line(px, y(point.accuracy.low), px, y(point.accuracy.high), whisker)
        yield series.marker(px, py, 5.5)
    taken = [box for point in points for box in _cross(point, x, y)]
    for point in points:
        px, py = x(point.colour.value), y(point.accuracy.value)
        words = shortened(point.row.label, 24)
        if box := _free(px, py, 6.8 * len(words), taken):
            taken.append(box)
            yield label(box[0], box[3] - 4, words, "named")


_Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _cross(point: _Point, x: Scale, y: Scale) -> list[_Box]:
    """What a point's whiskers and marker cover."""
    px, py = x(point.colour.value), y(point.accuracy.value)
    return [
        (px - 7, py - 7, px + 7, py + 7),
        (x(point.colour.low), py - 2, x(point.colour.high), py + 2),
        (px - 2, y(point.accuracy.high), px + 2, y(point.accuracy.low)),
    ]


def _free(x: float, y: float, width: float, taken: Sequence[_Box]) -> _Box | None:
    """Where a name near a point covers nothing, if anywhere."""
    lefts = (x + 9, x - 9 - width, x - width / 2)
    boxes = [(left, top, left + width, top + 16) for top in (y - 20, y + 4) for left in lefts]
    inside = (box for box in boxes if box[0] >= LEFT and box[2] <= WIDTH - 4 and box[1] >= 2)
    free = (box for box in inside if not any(_overlap(box, other) for other in taken))
    return next(free, None)


def _overlap(one: _Box, other: _Box) -> bool:
    return not (
        one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    )


_NAMES_END = 126.0
_GROUP_GAP = 18.0
_LINE = 13.0


def skin_errors(results: Results) -> Markup | None:
    """Colour error of skin by group and model; None when there is no group to draw.

    Groups of too few faces are named and greyed, and have no points.
    """
    by_label = {each.label: each.groups for each in results.fairness}
    shown = [
        [(each, groups[i]) for each, groups in by_label.items()]
        for i in range(min((len(groups) for groups in by_label.values()), default=0))
    ]
    figures = [g.delta_e for lane in shown for _, g in lane if g.enough and g.delta_e]
    if not figures:
        return None
    x = Scale.around([0.0, *(f.high for f in figures)], _NAMES_END + 8, RIGHT)
    heights = [(_LINE * len(lane) if lane[0][1].enough else _LINE) + _GROUP_GAP for lane in shown]
    floor = TOP - 14 + sum(heights)
    looks = series_of(results)
    parts = [x_axis(x, TOP - 14, floor, "ΔE2000 of skin, lower is better")]
    top = TOP - 14
    for lane, height in zip(shown, heights, strict=True):
        parts += _skin_group(lane, looks, x, top, height)
        top += height
    return chart(floor + BOTTOM, "Colour error of skin by group of tones", parts)


def _skin_group(
    shown: Sequence[tuple[str, SkinGroup]],
    looks: dict[str, Series],
    x: Scale,
    top: float,
    height: float,
) -> Iterator[Markup]:
    """One group: its name, its number of faces, a point for each model."""
    group = shown[0][1]
    middle = top + height / 2
    yield line(4, top + height, RIGHT, top + height, "grid")
    if not group.enough:
        yield label(_NAMES_END, middle + 4, group.group, "faint", "end")
        yield label(x.start + 6, middle + 4, too_few(group), "faint")
        return
    yield label(_NAMES_END, middle - 2, group.group, "named", "end")
    yield label(_NAMES_END, middle + 12, count(group.faces, "face"), "", "end")
    for i, (each, of_model) in enumerate(shown):
        if of_model.delta_e is not None:
            y = top + _GROUP_GAP / 2 + _LINE * (i + 0.5)
            whisker = f"whisker {looks[each].kind}"
            yield line(x(of_model.delta_e.low), y, x(of_model.delta_e.high), y, whisker)
            yield looks[each].marker(x(of_model.delta_e.value), y)


def all_labels(results: Results) -> list[str]:
    """Whom the charts of everyone show."""
    return [row.label for row in results.rows]


def side_by_side(*charts: Markup | None) -> Markup:
    """The charts that there are, in columns where there is room."""
    return element("div", {"class": "charts"}, join(each for each in charts if each is not None))
