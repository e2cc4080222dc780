"""The report as Markdown, and every picture's figures as CSV."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence

from tintype.evaluation.report.findings import Cell, Column, all_columns, summary_columns
from tintype.evaluation.report.skin import gap_sentences, skin_cells, skin_headings
from tintype.evaluation.report.verdict import verdict
from tintype.evaluation.report.wording import (
    NOTHING,
    count,
    facts,
    mark,
    measured,
    number,
    reservations,
    visible,
)
from tintype.evaluation.results import Fairness, Results, Row

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~&!])")


def csv_of(results: Results) -> str:
    """One line for each picture and model: name, model, every metric; empty where there is none."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    keys = [metric.key for metric in results.metrics]
    writer.writerow(["name", "model", *keys])
    for row in results.rows:
        columns = [row.values.get(key) or (math.nan,) * len(results.names) for key in keys]
        for name, *values in zip(results.names, *columns, strict=True):
            cells = ["" if math.isnan(value) else repr(value) for value in values]
            writer.writerow([name, row.label, *cells])
    return file.getvalue()


def markdown_of(results: Results) -> str:
    """The whole report but its charts and pictures."""
    parts = [
        f"# {plain(results.protocol.set_name)}",
        plain(verdict(results)),
        plain(measured(results.protocol)),
        "## Summary",
        *_figures(results, summary_columns(results), explained=()),
        *_all(results),
        *_timing(results),
        *_fairness(results),
        *_listed("## Left out", [(each.name, each.reason) for each in results.protocol.left_out]),
        *_listed("## Not measured", list(results.missing.items())),
        *_listed("## Protocol and versions", facts(results)),
    ]
    return "\n\n".join(parts) + "\n"


def plain(words: str) -> str:
    """Text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", visible(words))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _listed(heading: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    if not entries:
        return []
    lines = (f"- {plain(name)}: {plain(words)}" for name, words in entries)
    return [heading, "\n".join(lines)]


def _label(row: Row) -> str:
    label = plain(row.label)
    return f"{label} {mark(row)}".rstrip() if row.kind == "model" else f"*{label}*"


def _figures(results: Results, columns: Sequence[Column], explained: Sequence[Column]) -> list[str]:
    """A table of figures, its marks, and how each column is computed that is not yet explained."""
    rows = [
        [_label(row), *(_cell(c.cells.get(row.label)) for c in columns)] for row in results.rows
    ]
    if any(column.truth for column in columns):
        rows.append(["*truth*", *(column.truth or NOTHING for column in columns)])
    headings = ["", *(f"{plain(column.heading)} {column.sign}".rstrip() for column in columns)]
    notes = [f"{sign} {plain(words)}" for sign, words in reservations(results)]
    known = {column.heading for column in explained}
    means = [
        f"- {plain(column.heading)}: {plain(column.protocol)}; {column.aim}."
        for column in columns
        if column.heading not in known
    ]
    brackets = (
        f"Means over {count(results.protocol.pictures, 'picture')}, 95 % intervals in brackets. "
        "Bold: the best model as printed."
    )
    return [_table(headings, rows), *notes, brackets, "\n".join(means)]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    value = f"**{cell.value}**" if cell.best else cell.value
    return f"{value} {plain(cell.interval)}".rstrip()


def _all(results: Results) -> list[str]:
    """All metrics, when the summary does not have them all."""
    if all(metric.main for metric in results.metrics):
        return []
    table = _figures(results, all_columns(results), explained=summary_columns(results))
    return ["## All figures", *table]


def _timing(results: Results) -> list[str]:
    rows = [
        [
            _label(row),
            f"{number(row.timing.median_ms, 0)} "
            f"\\[{number(row.timing.low_ms, 0)}, {number(row.timing.high_ms, 0)}\\]",
            str(row.timing.runs),
            str(row.timing.threads),
            plain(row.timing.size),
        ]
        for row in results.rows
        if row.timing
    ]
    if not rows:
        return []
    table = _table(["", "one picture, ms", "runs", "threads", "size"], rows)
    note = "Median, with the 10th and 90th percentile in brackets, array to array."
    return ["## Time", table, f"{note} Machine: {plain(results.protocol.machine)}."]


def _fairness(results: Results) -> list[str]:
    if not results.fairness:
        return []
    return ["## Skin", *(part for each in results.fairness for part in _skin(each))]


def _skin(fairness: Fairness) -> list[str]:
    rows = [[plain(cell) for cell in skin_cells(group)] for group in fairness.groups]
    gaps = " ".join(gap_sentences(fairness))
    table = _table([plain(heading) for heading in skin_headings()], rows)
    return [f"### {plain(fairness.label)}", table, *([plain(gaps)] if gaps else [])]
