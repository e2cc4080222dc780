"""The charts of the report: scans over time, the rate, and how sure the network was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from tintype.archive.report_figures import Confidence, Pace
from tintype.evaluation.report.markup import Markup, element
from tintype.evaluation.report.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Scale,
    Series,
    chart,
    label,
    legend_of,
    line,
    x_axis,
    y_axis,
)

_HEIGHT = 260.0
_FLOOR = _HEIGHT - BOTTOM
_LEFT = LEFT + 14
_LOOKS = {"done": Series("of-2", "", 0), "failed": Series("of-1", "6 3", 3)}
_MOST_TICKS = 5
_STEPS_S = (
    *(1, 2, 5, 10, 30, 60, 120, 300, 600, 1800),
    *(3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600),
    *(day * 86400 for day in (1, 2, 7, 14, 28, 91, 182, 364)),
)


def legend() -> Markup:
    """Which line is which."""
    return legend_of(_LOOKS)


def progress(pace: Pace) -> Markup:
    """How many rows had been written at each time."""
    done, failed = (list(accumulate(each, initial=0)) for each in (pace.done, pace.failed))
    y = Scale.around([0, max(done[-1], failed[-1], 1)], _FLOOR, TOP, ticks=4)
    parts = [_time_axis(pace), y_axis(y, _LEFT, RIGHT, "scans so far")]
    for look, heights in ((_LOOKS["failed"], failed), (_LOOKS["done"], done)):
        if heights[-1]:
            parts.append(look.line((_x(pace, i), y(each)) for i, each in enumerate(heights)))
    words = f"Scans over time: {done[-1]:,} done, {failed[-1]:,} failed at the end"
    return chart(_HEIGHT, words, parts)


def rate(pace: Pace) -> Markup:
    """Rows an hour, step by step; what failed stands on top."""
    hours = pace.step.total_seconds() / 3600
    done, failed = ([each / hours for each in part] for part in (pace.done, pace.failed))
    both = [a + b for a, b in zip(done, failed, strict=True)]
    y = Scale.around([0, max(*both, 1e-9)], _FLOOR, TOP, ticks=4)
    parts = [_time_axis(pace), y_axis(y, _LEFT, RIGHT, "scans an hour")]
    for i, (low, high) in enumerate(zip(done, both, strict=True)):
        left, right = _x(pace, i), _x(pace, i + 1)
        parts += _bar(left, right, y(0), y(low), "of-2")
        parts += _bar(left, right, y(low), y(high), "of-1")
    return chart(_HEIGHT, f"Scans an hour over time, at most {max(both):,.0f}", parts)


def sureness(found: Confidence) -> Markup:
    """How many scans had which mean confidence."""
    x = Scale(0, 1, _LEFT, RIGHT, 0.2)
    y = Scale.around([0, max(*found.bars, 1)], _FLOOR, TOP, ticks=4)
    parts = [x_axis(x, TOP, _FLOOR, "mean confidence"), y_axis(y, _LEFT, RIGHT, "scans")]
    width = 1 / len(found.bars)
    for i, each in enumerate(found.bars):
        parts += _bar(x(i * width), x((i + 1) * width), y(0), y(each), "of-0")
    parts.append(line(x(found.middle), TOP, x(found.middle), _FLOOR, "truth"))
    parts.append(label(x(found.middle) - 6, TOP + 12, "median", "named", "end"))
    words = f"Scans by mean confidence; half of them have {found.middle:.2f} or more"
    return chart(_HEIGHT, words, parts)


def _bar(left: float, right: float, floor: float, top: float, kind: str) -> list[Markup]:
    if floor - top < 0.005:
        return []
    gap = min(0.8, (right - left) / 5)
    place = {"x": left + gap / 2, "y": top, "width": right - left - gap, "height": floor - top}
    return [element("rect", {"class": f"box {kind}", **place})]


def _x(pace: Pace, step: float) -> float:
    return _LEFT + (RIGHT - _LEFT) * step / len(pace.done)


def _time_axis(pace: Pace) -> Markup:
    """Gridlines and labels at round times, and the day on which all began."""
    parts = [
        part
        for at, words in time_ticks(pace.start, pace.start + len(pace.done) * pace.step)
        for x in [_x(pace, (at - pace.start) / pace.step)]
        for part in (line(x, TOP, x, _FLOOR, "grid"), label(x, _FLOOR + 16, words, anchor="middle"))
    ]
    title = f"UTC, from {pace.start.day} {pace.start:%B %Y, %H:%M}"
    parts.append(label((_LEFT + RIGHT) / 2, _FLOOR + 34, title, "axis", "middle"))
    return element("g", {}, *parts)


def time_ticks(start: datetime, end: datetime) -> list[tuple[datetime, str]]:
    """At most a handful of round times between two, and what to write there."""
    span = (end - start).total_seconds()
    step_s = next((s for s in _STEPS_S if span / s <= _MOST_TICKS), _STEPS_S[-1])
    return [(at, _said(at, step_s)) for at in _round_times(start, end, step_s)]


def _round_times(start: datetime, end: datetime, step_s: int) -> Iterator[datetime]:
    """Multiples of a step, counted from a Monday."""
    epoch = datetime(1970, 1, 5, tzinfo=UTC)
    at = epoch + timedelta(seconds=step_s * -(-(start - epoch).total_seconds() // step_s))
    while at <= end:
        yield at
        at += timedelta(seconds=step_s)


def _said(at: datetime, step_s: int) -> str:
    if step_s >= 86400 or (step_s >= 3600 and at.hour == 0):
        return f"{at.day} {at:%b}"
    return f"{at:%H:%M:%S}" if step_s < 60 else f"{at:%H:%M}"
