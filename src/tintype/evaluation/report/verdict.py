"""The result of a run in one sentence."""

from __future__ import annotations

from tintype.evaluation.report.findings import (
    COLOURFULNESS,
    PSNR,
    differences,
    distance_of,
    gains,
    mean,
    models,
)
from tintype.evaluation.report.wording import count, number
from tintype.evaluation.results import Metric, Results, Row


def verdict(results: Results) -> str:
    """Who leads in PSNR (or in the first metric that ranks models), and what that is worth."""
    metric = _leading(results)
    if metric is None:
        return "No model was measured: these are the floor and the ceiling for others."
    first, *others = _ranked(results, metric)
    worth = [fact for fact in (_over_grey(results, first), _colour(results, first)) if fact]
    score = _score(metric, first)
    if not others:
        return f"{', '.join([f'{first.label} reaches {metric.title} {score}', *worth])}."
    second = others[0]
    pairs = differences(*(row.values.get(metric.key, ()) for row in (first, second)))
    if not pairs or (lead := mean(pairs)).low <= 0 <= lead.high:
        pictures = count(results.protocol.pictures, "picture")
        level = (
            f"{first.label} and {second.label} are level in {metric.title}: {score} and "
            f"{_score(metric, second)}, a difference that may be chance on {pictures}"
        )
        return f"{level}; {first.label} is {', '.join(worth)}." if worth else f"{level}."
    ahead = f"{number(abs(lead.value), metric.digits)} {metric.unit}".rstrip()
    leads = (
        f"{first.label} leads in {metric.title} with {score}, ahead of {second.label} by {ahead}"
    )
    return f"{'; it is '.join([leads, ', '.join(worth)]) if worth else leads}."


def _leading(results: Results) -> Metric | None:
    candidates = sorted(results.metrics, key=lambda metric: (metric.key != PSNR, not metric.main))
    return next((metric for metric in candidates if _ranked(results, metric)), None)


def _ranked(results: Results, metric: Metric) -> list[Row]:
    """The models, the best one first; those without a figure are left out."""
    placed = [
        (distance, row)
        for row in models(results)
        if metric.key in row.figures
        and (distance := distance_of(results, metric, row.figures[metric.key].value)) is not None
    ]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _score(metric: Metric, row: Row) -> str:
    return f"{number(row.figures[metric.key].value, metric.digits)} {metric.unit}".rstrip()


def _over_grey(results: Results, row: Row) -> str:
    gain = gains(results).get(row.label)
    if gain is None:
        return ""
    side = "above" if gain.value >= 0 else "below"
    return f"{number(abs(gain.value), 2)} dB {side} the grey picture"


def _colour(results: Results, row: Row) -> str:
    """How colourful it is, and who comes nearer to the truth."""
    true = results.protocol.true_figures.get(COLOURFULNESS)
    shares = {
        each.label: round(100 * each.figures[COLOURFULNESS].value / true)
        for each in models(results)
        if true and COLOURFULNESS in each.figures
    }
    if row.label not in shares:
        return ""
    nearest = min(shares, key=lambda label: abs(shares[label] - 100))
    said = f"at {shares[row.label]} % of the truth’s colourfulness"
    if abs(shares[nearest] - 100) < abs(shares[row.label] - 100):
        said += f" ({nearest} comes nearest to that, with {shares[nearest]} %)"
    return said
