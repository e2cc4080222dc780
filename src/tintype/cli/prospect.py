"""What ``tintype archive plan`` says of the whole: lines for people, or plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tintype.archive.sample import Estimate, Machines, Prospect


def as_lines(
    prospect: Prospect, machines: Sequence[Machines], price: float | None
) -> Iterator[str]:
    """The prospect, a line each.

    Args:
        prospect: what the sample says.
        machines: which machines it is told for.
        price: of a machine for an hour; None tells no costs.
    """
    size = prospect.source_bytes
    read = "" if size is None else f", {size / 1e9:,.2f} GB to read"
    yield f"scans               {prospect.scans:,}{read}"
    failed = f", {prospect.failed} of them failed" if prospect.failed else ""
    yield f"measured            {prospect.sampled}{failed}, on {prospect.cores} cores"
    each = prospect.core_s.times(1 / prospect.scans)
    yield f"a scan              {_span(each, 3)} core-seconds"
    yield f"results             {_span(prospect.result_bytes.times(1e-9), 2)} GB"
    for some in machines:
        hours = prospect.hours(some)
        spent = f", {_span(hours.times(some.count), 2)} machine-hours"
        cost = "" if price is None else f", costs {_span(hours.times(some.count * price), 2)}"
        yield f"{_named(some):<19} {_span(hours, 2)} hours{spent}{cost}"
    yield "Likely (95 of 100 such samples give between). More machines than one: arithmetic."


def as_plain(
    prospect: Prospect, machines: Sequence[Machines], price: float | None
) -> dict[str, object]:
    """The prospect as JSON has it; arguments as of :func:`as_lines`."""
    return {
        "scans": prospect.scans,
        "source_bytes": prospect.source_bytes,
        "sampled": prospect.sampled,
        "failed": prospect.failed,
        "cores": prospect.cores,
        "start_seconds": prospect.start_s,
        "core_seconds": _three(prospect.core_s),
        "result_bytes": _three(prospect.result_bytes),
        "machines": [_of(prospect, some, price) for some in machines],
    }


def _of(prospect: Prospect, some: Machines, price: float | None) -> dict[str, object]:
    hours = prospect.hours(some)
    told: dict[str, object] = {
        "count": some.count,
        "cores": some.cores,
        "hours": _three(hours),
        "machine_hours": _three(hours.times(some.count)),
    }
    return told if price is None else told | {"cost": _three(hours.times(some.count * price))}


def _named(some: Machines) -> str:
    return f"{some.count:,} × {some.cores} cores"


def _span(estimate: Estimate, digits: int) -> str:
    low, likely, high = (
        f"{value:,.{digits}f}" for value in (estimate.low, estimate.likely, estimate.high)
    )
    return f"{likely} ({low} to {high})"


def _three(estimate: Estimate) -> dict[str, float]:
    return {"low": estimate.low, "likely": estimate.likely, "high": estimate.high}
