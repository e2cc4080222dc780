"""The report of an archive: one page that an archivist can open, judge from, and pass on.

It tells how far the work is and what failed, and shows what to look at: the least confident, a
random hundred, each kind of finding. It asks for nothing, and the same ledger gives the same page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from tintype.archive import report_charts
from tintype.archive.report_figures import (
    FINDINGS,
    UNNAMED,
    Example,
    Kind,
    Run,
    Totals,
    confidence_of,
    found_in,
    kinds_of,
    pace_of,
    runs_of,
    totals_of,
    used_in,
)
from tintype.archive.report_rows import Rows, Scan, read_rows
from tintype.archive.report_sheets import (
    Extent,
    Pictures,
    enlarged,
    sheets_markup,
    sheets_of,
    with_pictures,
)
from tintype.evaluation.report.figures import heading, scrolled
from tintype.evaluation.report.layout import definitions, figure, laid_out
from tintype.evaluation.report.markup import (
    Markup,
    document,
    element,
    join,
    name,
    paragraph,
    text,
)
from tintype.evaluation.report.wording import NOTHING, count

__all__ = ["Extent", "Pictures", "Scan", "page"]

REMINDER = (
    "The colours are invented: a network guesses what such things are often coloured like. They "
    "are no evidence of what was there. Publish them beside the originals, and say so."
)
_DEFAULT = Extent()
_SENTENCE_LETTERS = 600


def page(
    ledger: pa.Table | Iterable[pa.RecordBatch],
    pictures: Pictures,
    *,
    title: str,
    listed: int | None = None,
    extent: Extent = _DEFAULT,
) -> str:
    """The page, complete in itself; at most about 15 MB with the extent as it is by default.

    Args:
        ledger: its rows, as a table or in batches; of several rows of a scan, the one that was
            finished last counts.
        pictures: asked once for each scan that is shown.
        title: what the page is called, such as the place of the results.
        listed: how many scans there are to do in all, where that is known.
        extent: how much is shown.

    Raises:
        UsageError: a column of the ledger is missing, or a picture is no JPEG, PNG or WebP.
    """
    rows = read_rows(ledger)
    totals, found = totals_of(rows), found_in(rows)
    if listed is not None and listed < totals.scans:
        listed = None  # of a retry
    sheets = sheets_of(rows, found, extent)
    shown = with_pictures(sheets, pictures, extent.most_bytes)
    parts = [
        ("totals", "In numbers", _totals(totals, found, listed)),
        ("progress", "Over time", _progress(rows)),
        ("errors", "Errors by kind", _errors(kinds_of(rows), totals)),
        ("confidence", "How sure the network was", _confidence(rows)),
        ("review", "For review", sheets_markup(shown) if shown else None),
        ("made", "How it was made", _made(rows)),
    ]
    head = [
        paragraph("Tintype archive", "kicker"),
        element("h1", {}, name(title)),
        paragraph(_verdict(totals, listed), "verdict"),
        paragraph(REMINDER, "reminder"),
        paragraph(_span(totals), "measured"),
    ]
    body = join([laid_out(head, parts), enlarged()])
    report = "evaluation/report"
    styles = [f"{report}/{each}.css" for each in ("page", "charts", "print")]
    styles += ["archive/report.css", f"{report}/dialog.css", "archive/report_enlarged.css"]
    return document(f"{title} – Tintype archive", body, styles, "archive/report.js")


def _verdict(totals: Totals, listed: int | None) -> str:
    if not totals.scans:
        return "No scan has been done yet."
    of = f" of {listed:,}" if listed is not None and listed >= totals.scans else ""
    done = (
        f"{totals.done:,}{of} {'scan has its' if totals.done == 1 else 'scans have their'} colours"
    )
    if totals.untouched:
        done += f", {totals.untouched:,} need{'s' if totals.untouched == 1 else ''} none"
    if not totals.failed:
        return f"{done}; none failed."
    share = 100 * totals.failed / totals.scans
    percent = f"{share:.1f}" if share >= 0.1 else "less than 0.1"
    return f"{done}; {totals.failed:,} failed, {percent} % of those tried."


def _span(totals: Totals) -> str:
    if totals.first is None or totals.last is None:
        return "The ledger is empty."
    workers = count(totals.workers, "worker")
    return f"From {_time(totals.first)} to {_time(totals.last)} UTC, by {workers}."


def _time(at: datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M}"


def _totals(totals: Totals, found: dict[str, int], listed: int | None) -> Markup:
    left = None if listed is None else max(0, listed - totals.scans)
    entries = [
        ("Scans done", f"{totals.done:,}", "" if left is None else f"{left:,} not tried yet"),
        ("Failed", f"{totals.failed:,}", _again(totals.again)),
        ("Megapixels", _amount(totals.megapixels), _each(totals.megapixels, totals.done, "a scan")),
        ("Worker-hours", _amount(totals.work_s / 3600), _work_each(totals)),
        ("Results", _bytes(totals.result_bytes), f"from {_bytes(totals.source_bytes)} of scans"),
        *((words[0].upper() + words[1:], f"{found[key]:,}", "") for key, words in FINDINGS.items()),
    ]
    tiles = (
        element(
            "div",
            {},
            element("dt", {}, text(term)),
            element("dd", {}, element("b", {}, text(value)), element("span", {}, text(note))),
        )
        for term, value, note in entries
    )
    return element("dl", {"class": "totals"}, *tiles)


def _again(rows: int) -> str:
    return f"{count(rows, 'attempt')} before the last" if rows else "each tried once"


def _each(total: float, number: int, of: str) -> str:
    return f"{total / number:.1f} {of}" if number else ""


def _work_each(totals: Totals) -> str:
    return f"{totals.work_s / totals.scans:.2f} s a scan" if totals.scans else ""


def _amount(value: float) -> str:
    """A number of three digits or more, as far as they tell something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _bytes(value: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} PB"


def _progress(rows: Rows) -> Markup | None:
    pace = pace_of(rows)
    if pace is None:
        return None
    caption = (
        "Each scan at the time when it was finished, the last time where it was tried again. "
        "Where nothing was running, the line is flat."
    )
    drawn = element(
        "div", {"class": "charts"}, report_charts.progress(pace), report_charts.rate(pace)
    )
    return join([figure(caption, report_charts.legend(), drawn), _runs(runs_of(rows))])


def _runs(runs: Sequence[Run]) -> Markup:
    titles = ("Run", "Ended, UTC", "Scans", "Failed", "Workers", "Worker-hours", "Scans an hour")
    head = element("tr", {}, *(heading(text(title)) for title in titles))
    lines = (
        element(
            "tr",
            {},
            heading(element("span", {"class": "label"}, name(run.name[:80])), "row"),
            *(element("td", {}, text(cell)) for cell in _cells(run)),
        )
        for run in runs
    )
    return scrolled("Runs, the last one first", head, element("tbody", {}, *lines))


def _cells(run: Run) -> list[str]:
    return [
        f"{run.last:%Y-%m-%d %H:%M}",
        f"{run.rows:,}",
        f"{run.failed:,}",
        f"{run.workers:,}",
        _amount(run.work_s / 3600),
        NOTHING if run.per_hour is None else _amount(run.per_hour),
    ]


def _errors(kinds: Sequence[Kind], totals: Totals) -> Markup | None:
    if not kinds:
        return None
    items = (element("li", {}, *_kind(kind, totals.failed)) for kind in kinds)
    note = (
        "As it stands now: a scan that failed and was done later is not counted. "
        "tintype archive retry tries them again."
    )
    return join([element("ul", {"class": "errors"}, *items), paragraph(note, "note")])


def _kind(kind: Kind, failed: int) -> list[Markup]:
    share = kind.scans / failed
    bar = element(
        "svg",
        {"viewBox": "0 0 100 4", "class": "share", "aria-hidden": "true"}
        | {"preserveAspectRatio": "none"},
        element("rect", {"class": "box of-1", "width": 100 * share, "height": 4}),
    )
    words = f"{count(kind.scans, 'scan')}, {100 * share:.0f} % of the errors"
    examples = (element("li", {}, *_example(each)) for each in kind.examples)
    return [
        element(
            "h3", {}, name(kind.name.strip()[:80] or UNNAMED), element("span", {}, text(words))
        ),
        bar,
        element("ul", {}, *examples),
    ]


def _example(example: Example) -> list[Markup]:
    """A sentence, and of which scan it speaks if it does not say so itself."""
    sentence = name(example.sentence[:_SENTENCE_LETTERS])
    if example.scans == 1 and example.source in example.sentence:
        return [sentence]
    others = f" and {count(example.scans - 1, 'other')}" if example.scans > 1 else ""
    where = name(example.source[:_SENTENCE_LETTERS])
    return [sentence, element("small", {}, where, text(others))]


def _confidence(rows: Rows) -> Markup | None:
    found = confidence_of(rows)
    if found is None:
        return None
    caption = (
        f"The mean confidence of {count(found.scans, 'scan')}: half have {found.middle:.2f} or "
        f"more, one in twenty {found.low:.2f} or less. It is the network's own word, useful to "
        "put scans in an order; it is no probability that a colour is true."
    )
    words = element("figcaption", {}, paragraph(caption))
    return element("figure", {"class": "beside"}, report_charts.sureness(found), words)


def _made(rows: Rows) -> Markup | None:
    columns = {"model": "Model", "options": "Options", "tintype": "Tintype"}
    entries = [
        (title, f"{value[:_SENTENCE_LETTERS]} ({count(scans, 'scan')})")
        for column, title in columns.items()
        for value, scans in used_in(rows, column)
    ]
    return definitions(entries) if entries else None
