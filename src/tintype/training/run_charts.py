"""The curves of a run's page: losses by player and term, validation figures by set and head."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tintype.evaluation.report.markup import Markup
from tintype.evaluation.report.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    LogScale,
    Scale,
    Series,
    chart,
    label,
    line,
    looks_of,
    x_axis,
    y_axis,
)
from tintype.evaluation.report.wording import number

POINTS = 400
"""At most so many points are drawn of a curve."""

FIGURES = {
    "gain_db": ("PSNR over grey, dB", 2),
    "psnr_db": ("PSNR, dB", 2),
    "ssim_of_first": ("SSIM of the first picture", 3),
    "colourfulness": ("colourfulness", 1),
}
"""Title and digits of the figures of a validation; others go by their own names."""

_HEIGHT = 240.0
_FLOOR = _HEIGHT - BOTTOM
_START, _END = LEFT + 10, RIGHT - 16
_WINDOW = 1.1
_LEAST_ROWS = 4
"""Before and after, in a running mean of a long curve."""
_MOST_MARKERS = 40

Values = NDArray[np.float64]
Rows = Sequence[Mapping[str, str]]


def loss_charts(rows: Rows) -> dict[str, list[Markup]]:
    """A chart of every term, by player.

    Args:
        rows: of ``log.csv``.
    """
    terms: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        point = float(row["pictures"]), float(row["value"])
        if math.isfinite(point[1]):
            terms.setdefault((row["player"], row["term"]), []).append(point)
    charts: dict[str, list[Markup]] = {}
    for (player, term), points in terms.items():
        seen, values = np.array(sorted(points)).T
        charts.setdefault(player, []).append(_loss_chart(f"{player}: {term}", term, seen, values))
    return charts


def _loss_chart(described: str, title: str, seen: Values, values: Values) -> Markup:
    """The values, faint, and their running mean."""
    at, means = smoothed(seen, values)
    low, high = np.percentile(values, (2, 98))
    x = LogScale.around(seen.tolist(), _START, _END)
    y = Scale.around([low, high, means.min(), means.max()], _FLOOR, TOP, ticks=4)
    drawn_at, drawn = thinned(seen, values.clip(y.low, y.high))
    parts = [
        x_axis(x, TOP, _FLOOR, "pictures seen"),
        y_axis(y, _START, _END, title),
        label(_END, TOP - 14, f"now {means[-1]:.4g}", "axis", "end"),
        Series("of-0 raw", "", 0).line(_placed(drawn_at, drawn, x, y)),
        Series("of-0", "", 0).line(_placed(at, means, x, y)),
    ]
    if len(seen) == 1:
        parts.append(Series("of-0", "", 0).marker(x(seen[0]), y(values[0])))
    return chart(_HEIGHT, f"Loss of {described}, by pictures seen", parts)


def _placed(
    across: Values, upwards: Values, x: Scale | LogScale, y: Scale
) -> Iterator[tuple[float, float]]:
    return ((x(a), y(b)) for a, b in zip(across.tolist(), upwards.tolist(), strict=True))


def thinned(seen: Values, values: Values) -> tuple[Values, Values]:
    """At most ``POINTS`` of the points: both ends, and the extremes of stretches of the axis.

    Args:
        seen: (n,) positive, ascending; the axis is their logarithm.
        values: (n,).
    """
    if len(seen) <= POINTS:
        return seen, values
    edges = np.geomspace(seen[0], seen[-1], POINTS // 2)[1:-1]
    kept = {0, len(seen) - 1}
    for stretch in np.split(np.arange(len(seen)), np.searchsorted(seen, edges)):
        if len(stretch):
            part = values[stretch]
            kept |= {int(stretch[part.argmin()]), int(stretch[part.argmax()])}
    chosen = sorted(kept)
    return seen[chosen], values[chosen]


def smoothed(seen: Values, values: Values) -> tuple[Values, Values]:
    """Running means at ``POINTS`` places at the most, over a tenth of the pictures either way.

    Args:
        seen: (n,) positive, ascending; the last place is the last of them.
        values: (n,).
    """
    places = np.geomspace(seen[0], seen[-1], POINTS)
    chosen = np.unique(np.searchsorted(seen[:-1], places))
    at = seen[chosen]
    low = np.searchsorted(seen, at / _WINDOW, "left")
    high = np.searchsorted(seen, at * _WINDOW, "right")
    least = min(_LEAST_ROWS, len(seen) // 12)
    low = np.maximum(np.minimum(low, chosen - least), 0)
    high = np.minimum(np.maximum(high, chosen + least + 1), len(seen))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return at, (sums[high] - sums[low]) / (high - low)


def labels_of(rows: Rows) -> dict[tuple[str, str], str]:
    """Set and head to what they are called; "ab" is what is exported, so it goes without."""
    pairs = dict.fromkeys((row["set"], row["head"]) for row in rows)
    return {(name, head): name if head == "ab" else f"{name}, {head}" for name, head in pairs}


def validation_charts(rows: Rows, epoch: int | None) -> list[Markup]:
    """A chart of every figure, with a line for each set and head.

    Args:
        rows: of ``validation.csv``; at least one.
        epoch: pictures of one, where the axis is to count epochs.
    """
    figures = figures_in(rows)
    looks = looks_of(list(labels_of(rows).values()))
    return [_validation_chart(figure, rows, looks, epoch) for figure in figures]


def figures_in(rows: Rows) -> list[str]:
    """The figures that a validation has, in the order of ``FIGURES``, then others."""
    there = [key for key in rows[0] if key not in ("pictures", "set", "head")]
    return [*(key for key in FIGURES if key in there), *(k for k in there if k not in FIGURES)]


def title_of(figure: str) -> str:
    """What a figure is called, with its unit."""
    return FIGURES[figure][0] if figure in FIGURES else figure


def shown(figure: str, value: float, *, signed: bool = False) -> str:
    """A figure's value as it is printed."""
    return number(value, FIGURES[figure][1] if figure in FIGURES else 3, signed=signed)


def _validation_chart(
    figure: str, rows: Rows, looks: Mapping[str, Series], epoch: int | None
) -> Markup:
    unit = epoch or 1
    lines: dict[str, list[tuple[float, float]]] = {each: [] for each in looks}
    labels = labels_of(rows)
    for row in rows:
        point = float(row["pictures"]) / unit, float(row[figure])
        if math.isfinite(point[1]):
            lines[labels[row["set"], row["head"]]].append(point)
    points = [point for line in lines.values() for point in line] or [(0.0, 0.0)]
    x = Scale.around([0.0, *(a for a, _ in points)], _START, _END)
    y = Scale.around([b for _, b in points], _FLOOR, TOP, ticks=4)
    parts = [
        x_axis(x, TOP, _FLOOR, "epochs" if epoch else "pictures seen"),
        y_axis(y, _START, _END, title_of(figure)),
    ]
    if figure == "gain_db" and y.low < 0 < y.high:
        parts.append(line(_START, y(0), _END, y(0), "zero"))
    for each, found in lines.items():
        across, upwards = np.array(sorted(found)).reshape(-1, 2).T
        if len(across):
            parts.append(looks[each].line(_placed(*_evenly(across, upwards), x, y)))
        if len(across) <= _MOST_MARKERS:
            parts += [looks[each].marker(x(a), y(b), 3.5) for a, b in sorted(found)]
    return chart(_HEIGHT, f"{title_of(figure)} of {', '.join(looks)}", parts)


def _evenly(across: Values, upwards: Values) -> tuple[Values, Values]:
    """At most ``POINTS`` of the points, the first and the last among them."""
    chosen = np.unique(
        np.linspace(0, len(across) - 1, min(POINTS, len(across))).round().astype(int)
    )
    return across[chosen], upwards[chosen]
