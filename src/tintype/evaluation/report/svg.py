"""Axes, scales, markers and text of the charts, as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tintype.evaluation.report.markup import Markup, compact, element, join, name, text
from tintype.evaluation.report.wording import MINUS
from tintype.evaluation.results import Results

WIDTH = 440.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 426.0, 30.0, 42.0

_SERIES = 6
_TICK_PX = 52.0
_DASHES = ("", "8 3", "2 3", "9 3 2 3", "5 2", "12 3 2 3 2 3")
_CORNERS: tuple[tuple[tuple[float, float], ...], ...] = (
    (),
    ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    ((0, -1.3), (1.2, 0.9), (-1.2, 0.9)),
    ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    ((0, 1.3), (1.2, -0.9), (-1.2, -0.9)),
    ((-0.45, -1.3), (0.45, -1.3), (0.45, 1.3), (-0.45, 1.3)),
)


@dataclass(frozen=True)
class Series:
    """How a row looks in every chart, told apart by colour, dashes and marker alike.

    Attributes:
        kind: CSS class that sets ``--series``.
        dashes: of its line.
        shape: which marker.
    """

    kind: str
    dashes: str
    shape: int

    def line(self, points: Iterable[tuple[float, float]]) -> Markup:
        """A curve."""
        path = "L".join(f"{compact(x)} {compact(y)}" for x, y in points)
        dashes: dict[str, str | float] = {"stroke-dasharray": self.dashes} if self.dashes else {}
        return element("path", {"class": f"curve {self.kind}", "d": f"M{path}"} | dashes)

    def marker(self, x: float, y: float, radius: float = 4.5) -> Markup:
        """A point."""
        kind = f"marker {self.kind}"
        if not self.shape:
            return element("circle", {"class": kind, "cx": x, "cy": y, "r": radius})
        corners = " ".join(
            f"{compact(x + radius * dx)},{compact(y + radius * dy)}"
            for dx, dy in _CORNERS[self.shape]
        )
        return element("polygon", {"class": kind, "points": corners})


def looks_of(labels: Sequence[str]) -> dict[str, Series]:
    """Looks for things that are compared with each other."""
    return {
        label: Series(
            f"of-{i % _SERIES}",
            _DASHES[(i + i // _SERIES) % len(_DASHES)],
            (i + 2 * (i // _SERIES)) % len(_CORNERS),
        )
        for i, label in enumerate(labels)
    }


def legend_of(looks: Mapping[str, Series]) -> Markup:
    """Which line and marker is whose, as a list."""
    items = []
    for label, series in looks.items():
        swatch = element(
            "svg",
            {"viewBox": "0 0 40 14", "class": "swatch", "aria-hidden": "true"},
            series.line([(1, 7), (39, 7)]),
            series.marker(20, 7),
        )
        items.append(element("li", {}, swatch, name(label)))
    return element("ul", {"class": "legend"}, *items)


def series_of(results: Results) -> dict[str, Series]:
    """Label of every row to its looks."""
    looks = {"grey": Series("of-grey", "3 4", 0), "oracle": Series("of-oracle", "1 3", 3)}
    models = looks_of([row.label for row in results.rows if row.kind == "model"])
    return {row.label: looks.get(row.kind) or models[row.label] for row in results.rows}


@dataclass(frozen=True)
class Scale:
    """Values to pixels.

    Attributes:
        low, high: the values at both ends; ticks themselves when made by :meth:`around`.
        start, end: the pixels there.
        step: between ticks.
    """

    low: float
    high: float
    start: float
    end: float
    step: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, ticks: int = 5) -> Scale:
        """A scale that holds all values, from tick to tick."""
        low, high = min(values), max(values)
        if high - low < 1e-9:
            low, high = low - 0.5, high + 0.5
        step = _step((high - low) / ticks)
        return cls(math.floor(low / step) * step, math.ceil(high / step) * step, start, end, step)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixel and label of every tick."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        steps = range(round((self.high - self.low) / self.step) + 1)
        values = [self.low + i * self.step for i in steps]
        return [
            (self(v), f"{round(v, digits) + 0.0:,.{digits}f}".replace("-", MINUS)) for v in values
        ]


@dataclass(frozen=True)
class LogScale:
    """Positive values to pixels by their logarithms.

    Attributes:
        low, high: the values at both ends.
        start, end: the pixels there.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> LogScale:
        """A scale from the lowest of some positive values to the highest."""
        low, high = min(values), max(values)
        return cls(low, high, start, end) if low < high else cls(low / 2, high * 2, start, end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Pixel and label of every tick: as many round numbers as have room, or both ends."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for factors in ((1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 5), (1, 3), (1,)):
            values = [factor * 10.0**power for power in powers for factor in factors]
            found = [(self(v), f"{v:,.12g}") for v in values if self.low <= v <= self.high]
            if all(b[0] - a[0] >= _TICK_PX for a, b in pairwise(found)):
                break
        ends = [(self(v), f"{v:,.12g}") for v in (self.low, self.high)]
        return found if len(found) > 1 else ends


def _step(least: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def label(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Markup:
    """Text whose baseline begins, has its middle or ends at a point."""
    where: dict[str, str | float] = {"x": x, "y": y, "text-anchor": anchor}
    return element("text", where | ({"class": kind} if kind else {}), text(words))


def line(x: float, y: float, to_x: float, to_y: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", {"x1": x, "y1": y, "x2": to_x, "y2": to_y, "class": kind})


def x_axis(scale: Scale | LogScale, top: float, bottom: float, title: str) -> Markup:
    """Gridlines, tick labels and the title of the horizontal axis."""
    parts = [
        join([line(x, top, x, bottom, "grid"), label(x, bottom + 16, words, anchor="middle")])
        for x, words in scale.ticks()
    ]
    middle = (scale.start + scale.end) / 2
    return join([*parts, label(middle, bottom + 34, title, "axis", "middle")])


def y_axis(scale: Scale, left: float, right: float, title: str) -> Markup:
    """Gridlines and tick labels of the vertical axis; its title lies above it, to be read."""
    parts = [
        join([line(left, y, right, y, "grid"), label(left - 6, y + 4, words, anchor="end")])
        for y, words in scale.ticks()
    ]
    return join([*parts, label(4, TOP - 14, title, "axis")])


def chart(height: float, described: str, parts: Iterable[Markup]) -> Markup:
    """The picture itself.

    Args:
        height: in the units in which it is ``WIDTH`` wide.
        described: what it shows, for those who do not see it.
        parts: what is drawn, back to front.
    """
    attributes: dict[str, str | float] = {
        "viewBox": f"0 0 {compact(WIDTH)} {compact(height)}",
        "role": "img",
        "aria-label": described,
        "class": "chart",
    }
    return element("svg", attributes, *parts)


def shortened(words: str, letters: int) -> str:
    """Words that fit into a chart."""
    return words if len(words) <= letters else f"{words[: letters - 1]}…"
