"""What the figures say: gains over grey, the columns of the tables, and who is best in them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tintype.evaluation.report.wording import aim, interval, number
from tintype.evaluation.results import Figure, Metric, Results, Row

PSNR, COLOURFULNESS = "psnr", "colourfulness"

_GAIN = Metric(
    key="psnr_over_grey",
    title="over grey",
    unit="dB",
    better="higher",
    digits=2,
    protocol=(
        "PSNR minus that of the grey picture, picture by picture, then averaged; the interval is "
        "1.96 standard errors of these differences"
    ),
)
_Z = 1.96


@dataclass(frozen=True)
class Cell:
    """A figure as it is printed.

    Attributes:
        value: "24.31".
        interval: "[24.02, 24.60]" or "".
        best: whether no model's printed value is better.
    """

    value: str
    interval: str
    best: bool


@dataclass(frozen=True)
class Column:
    """A column of a table of all rows.

    Attributes:
        title: "PSNR".
        unit: "dB" or "".
        sign: "↑", "↓", "→ 40.5" (what the truth has) or "".
        aim: the same in words.
        protocol: how it is computed, a sentence.
        truth: what the true pictures have, "" where that makes no sense.
        cells: label of a row to what stands there; rows without a figure are missing.
    """

    title: str
    unit: str
    sign: str
    aim: str
    protocol: str
    truth: str
    cells: dict[str, Cell]

    @property
    def heading(self) -> str:
        """Title and unit: "PSNR, dB"."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


def models(results: Results) -> list[Row]:
    """The rows that are neither floor nor ceiling."""
    return [row for row in results.rows if row.kind == "model"]


def grey_of(results: Results) -> Row | None:
    """The row of the grey picture, if it was measured."""
    return next((row for row in results.rows if row.kind == "grey"), None)


def gain_values(results: Results, row: Row) -> list[float]:
    """PSNR over grey of each picture; nothing when there is no grey row."""
    grey = grey_of(results)
    if grey is None or PSNR not in grey.values or PSNR not in row.values:
        return []
    return differences(row.values[PSNR], grey.values[PSNR])


def gains(results: Results) -> dict[str, Figure]:
    """Label to mean PSNR over grey, of every row but grey; empty when there is no grey row."""
    pairs = ((row, gain_values(results, row)) for row in results.rows if row.kind != "grey")
    return {row.label: mean(values) for row, values in pairs if values}


def differences(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Picture by picture; pictures where either is infinite or missing are left out."""
    pairs = zip(values, others, strict=True)
    return [a - b for a, b in pairs if math.isfinite(a) and math.isfinite(b)]


def mean(values: Sequence[float]) -> Figure:
    """The mean and 1.96 standard errors around it, which is where 95 % of such means lie."""
    middle = statistics.fmean(values)
    if len(values) < 2:
        return Figure(middle, middle, middle)
    margin = _Z * statistics.stdev(values) / math.sqrt(len(values))
    return Figure(middle, middle - margin, middle + margin)


def summary_columns(results: Results) -> list[Column]:
    """The main metrics, with PSNR over grey behind PSNR where grey was measured."""
    return _columns(results, [metric for metric in results.metrics if metric.main])


def all_columns(results: Results) -> list[Column]:
    """Every metric."""
    return _columns(results, results.metrics)


def _columns(results: Results, metrics: Iterable[Metric]) -> list[Column]:
    found: list[Column] = []
    for metric in metrics:
        figures = {
            row.label: row.figures[metric.key] for row in results.rows if metric.key in row.figures
        }
        found.append(_column(results, metric, figures))
        if metric.key == PSNR and (over_grey := gains(results)):
            found.append(_column(results, _GAIN, over_grey))
    return found


def _column(results: Results, metric: Metric, figures: dict[str, Figure]) -> Column:
    signed = metric is _GAIN
    true = results.protocol.true_figures.get(metric.key)
    truth = "" if true is None else number(true, metric.digits)
    best = _best(results, metric, figures)
    cells = {
        label: Cell(
            value=number(figure.value, metric.digits, signed=signed),
            interval=interval(figure, metric.digits, signed=signed),
            best=label in best,
        )
        for label, figure in figures.items()
    }
    signs = {"higher": "↑", "lower": "↓", "truth": f"→ {truth}".rstrip(), "neither": ""}
    return Column(
        title=metric.title,
        unit=metric.unit,
        sign=signs[metric.better],
        aim=aim(metric.better),
        protocol=metric.protocol.rstrip("."),
        truth=truth,
        cells=cells,
    )


def _best(results: Results, metric: Metric, figures: dict[str, Figure]) -> set[str]:
    """The models of which no other is better as printed; none where there is no contest."""
    distances = {
        row.label: distance
        for row in models(results)
        if row.label in figures
        and (distance := distance_of(results, metric, figures[row.label].value)) is not None
    }
    if len(distances) < 2:
        return set()
    winner = min(distances, key=lambda label: distances[label])
    printed = number(figures[winner].value, metric.digits)
    return {label for label in distances if number(figures[label].value, metric.digits) == printed}


def distance_of(results: Results, metric: Metric, value: float) -> float | None:
    """How far from good; None where nobody can say."""
    if math.isnan(value):
        return None
    if metric.better == "higher":
        return -value
    if metric.better == "lower":
        return value
    true = results.protocol.true_figures.get(metric.key)
    return abs(value - true) if metric.better == "truth" and true is not None else None
