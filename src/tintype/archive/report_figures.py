"""What the report counts: totals, pace over time, errors by kind, confidence, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from tintype.archive.report_rows import Rows

FINDINGS = {
    "toned": "toned",
    "coloured": "already in colour",
    "damaged": "damaged",
}
"""Column to what a scan is said to be."""

UNNAMED = "other"
_STEPS = 96  # of time in a chart
_BARS = 20  # of confidence
_KINDS = 30
_EXAMPLES = 3
_RUNS = 20


@dataclass(frozen=True)
class Totals:
    """The ledger in a few numbers.

    Attributes:
        scans: how many there are.
        done: that have a result.
        failed: with an error in their latest row; the others need no colours.
        again: attempts before the last, of all scans.
        megapixels: of those done.
        source_bytes: of the files of all that were read.
        result_bytes: of the results.
        work_s: seconds that workers spent, failed attempts included.
        workers: that wrote at least one row.
        first: when the first row was finished; None without rows.
        last: when the last one was.
    """

    scans: int
    done: int
    failed: int
    again: int
    megapixels: float
    source_bytes: int
    result_bytes: int
    work_s: float
    workers: int
    first: datetime | None
    last: datetime | None

    @property
    def untouched(self) -> int:
        """Scans that were looked at and need no colours."""
        return self.scans - self.done - self.failed


@dataclass(frozen=True)
class Pace:
    """Rows finished in equal steps of time.

    Attributes:
        start: of the first step.
        step: how long each is.
        done: rows without an error, step by step.
        failed: rows with one.
    """

    start: datetime
    step: timedelta
    done: Sequence[int]
    failed: Sequence[int]


@dataclass(frozen=True)
class Example:
    """One wording of an error.

    Attributes:
        sentence: it.
        scans: how many say exactly this.
        source: one of them.
    """

    sentence: str
    scans: int
    source: str


@dataclass(frozen=True)
class Kind:
    """The errors of one kind.

    Attributes:
        name: a short word.
        scans: how many.
        examples: the most frequent sentences.
    """

    name: str
    scans: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Confidence:
    """How sure the network was, over all scans done.

    Attributes:
        scans: how many have a confidence.
        bars: scans by confidence, in equal parts of [0, 1].
        low: that of the scan at a twentieth from below.
        middle: the median.
    """

    scans: int
    bars: Sequence[int]
    low: float
    middle: float


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        name: its id.
        first: when its first row was finished.
        last: when its last one was.
        rows: how many it wrote.
        failed: how many of them with an error.
        workers: how many wrote some.
        work_s: the seconds that they spent.
    """

    name: str
    first: datetime
    last: datetime
    rows: int
    failed: int
    workers: int
    work_s: float

    @property
    def per_hour(self) -> float | None:
        """Rows an hour while it ran; None where it was over at once."""
        seconds = (self.last - self.first).total_seconds()
        return 3600 * (self.rows - 1) / seconds if seconds > 0 else None


def totals_of(rows: Rows) -> Totals:
    """Count everything."""
    attempts = rows.attempts
    span = pc.min_max(attempts["finished_at"])
    return Totals(
        scans=len(rows.latest),
        done=int(_sum(rows.is_done)),
        failed=int(_sum(rows.is_failed)),
        again=int(_sum(rows.latest["attempt"])) - len(rows.latest),
        megapixels=_sum(rows.done("megapixels")),
        source_bytes=int(_sum(rows.latest["source_size"])),
        result_bytes=int(_sum(rows.done("result_bytes"))),
        work_s=_sum(attempts["seconds"]),
        workers=len(pc.unique(attempts["worker"].cast(pa.string())).drop_null()),
        first=span["min"].as_py(),
        last=span["max"].as_py(),
    )


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column).as_py() or 0)


def pace_of(rows: Rows) -> Pace | None:
    """Rows by the time at which they were finished; None without rows."""
    attempts = rows.attempts.select(["finished_at", "error"])
    attempts = attempts.filter(pc.is_valid(attempts["finished_at"]))
    if not len(attempts):
        return None
    at = attempts["finished_at"].cast(pa.int64())
    first, last = (pc.min_max(at)[end].as_py() for end in ("min", "max"))
    width = max(1, -(-(last - first + 1) // _STEPS))
    steps = pc.divide(pc.subtract(at, first), width)
    bad = pc.is_valid(attempts["error"])
    counts = [_counted(steps.filter(which), _STEPS) for which in (pc.invert(bad), bad)]
    start = attempts["finished_at"].type
    moment = pa.scalar(first, pa.int64()).cast(start).as_py()
    return Pace(moment, timedelta(microseconds=width), *counts)


def _counted(column: pa.ChunkedArray, places: int) -> list[int]:
    """How often each of 0, 1... stands in a column of integers; what is beyond counts as last."""
    counts = [0] * places
    for each in pc.value_counts(column).to_pylist():
        counts[min(each["values"], places - 1)] += each["counts"]
    return counts


def kinds_of(rows: Rows) -> list[Kind]:
    """The errors by kind, the most frequent first."""
    columns = rows.latest.select(["error_kind", "error", "source"])
    failed = columns.filter(rows.is_failed)
    kinds = pc.fill_null(failed["error_kind"].cast(pa.string()), UNNAMED)
    counts = {each["values"]: each["counts"] for each in pc.value_counts(kinds).to_pylist()}
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_KINDS]
    return [
        Kind(each, counts[each], _examples(failed.filter(pc.equal(kinds, each)))) for each in names
    ]


def _examples(failed: pa.Table) -> tuple[Example, ...]:
    grouped = failed.select(["error", "source"]).group_by("error")
    counted = grouped.aggregate([("source", "count"), ("source", "min")])
    keys = [("source_count", "descending"), ("error", "ascending")]
    chosen = counted.take(pc.select_k_unstable(counted, k=_EXAMPLES, sort_keys=keys))
    return tuple(
        Example(each["error"], each["source_count"], each["source_min"] or "")
        for each in chosen.to_pylist()
    )


def confidence_of(rows: Rows) -> Confidence | None:
    """How sure the network was; None where no row says it."""
    values = rows.done("confidence")
    values = values.filter(pc.fill_null(pc.is_finite(values), False))
    if not len(values):
        return None
    places = pc.floor(pc.multiply(pc.max_element_wise(values, 0.0), float(_BARS)))
    low, middle = pc.quantile(values, q=[0.05, 0.5]).to_pylist()
    return Confidence(len(values), _counted(places.cast(pa.int64()), _BARS), low, middle)


def found_in(rows: Rows) -> dict[str, int]:
    """Of how many scans each of ``FINDINGS`` is true."""
    return {column: int(_sum(rows.latest[column].cast(pa.int64()))) for column in FINDINGS}


def runs_of(rows: Rows) -> list[Run]:
    """The latest runs, the last one first."""
    table = rows.attempts.select(["run", "worker", "finished_at", "error", "seconds"])
    for at, name in enumerate(("run", "worker")):
        table = table.set_column(at, name, table[name].cast(pa.string()))
    counted = table.group_by("run").aggregate(
        [
            ("finished_at", "min"),
            ("finished_at", "max"),
            ([], "count_all"),
            ("error", "count"),
            ("worker", "count_distinct"),
            ("seconds", "sum"),
        ]
    )
    counted = counted.filter(pc.is_valid(counted["finished_at_max"]))
    counted = counted.sort_by([("finished_at_max", "descending"), ("run", "ascending")])
    return [
        Run(
            each["run"] or UNNAMED,
            each["finished_at_min"],
            each["finished_at_max"],
            each["count_all"],
            each["error_count"],
            each["worker_count_distinct"],
            each["seconds_sum"] or 0.0,
        )
        for each in counted.slice(0, _RUNS).to_pylist()
    ]


def used_in(rows: Rows, column: str, most: int = 5) -> list[tuple[str, int]]:
    """The values of a column with few of them among the scans done, the most frequent first."""
    values = rows.done(column).cast(pa.string())
    counts = [(each["values"], each["counts"]) for each in pc.value_counts(values).to_pylist()]
    known = [(value, count) for value, count in counts if value is not None]
    return sorted(known, key=lambda each: (-each[1], each[0]))[:most]
