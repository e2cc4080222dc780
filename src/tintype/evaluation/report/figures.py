"""The tables of the page: figures of all rows, time, and skin by group."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.evaluation.report.findings import Cell, Column
from tintype.evaluation.report.markup import Markup, element, join, name, paragraph, text
from tintype.evaluation.report.skin import gap_sentences, skin_cells, skin_headings
from tintype.evaluation.report.wording import NOTHING, mark, number, reservations
from tintype.evaluation.results import Results, Row


def scrolled(caption: str, head: Markup, *bodies: Markup) -> Markup:
    """A table that scrolls sideways where it must, by keyboard too."""
    table = element("table", {}, element("thead", {}, head), *bodies)
    frame = {"class": "scrolled", "role": "region", "aria-label": caption, "tabindex": "0"}
    return element("div", frame, table)


def heading(content: Markup, scope: str = "col") -> Markup:
    """A heading of a column or row."""
    return element("th", {"scope": scope}, content)


def figures_table(results: Results, columns: Sequence[Column], caption: str) -> Markup:
    """All rows in some columns, best models marked, with the truth's own figures below."""
    head = element("tr", {}, heading(text("model")), *(_column(column) for column in columns))
    rows = [
        element(
            "tr",
            {"class": row.kind},
            row_heading(row),
            *(_cell(column.cells.get(row.label)) for column in columns),
        )
        for row in results.rows
    ]
    if any(column.truth for column in columns):
        truths = (element("td", {}, text(column.truth or NOTHING)) for column in columns)
        rows.append(element("tr", {"class": "true"}, heading(text("the truth"), "row"), *truths))
    notes = [paragraph(f"{sign} {words}", "note") for sign, words in reservations(results)]
    return join([scrolled(caption, head, element("tbody", {}, *rows)), *notes])


def row_heading(row: Row) -> Markup:
    """A model's label with its mark."""
    sign = mark(row)
    marked = join([element("sup", {}, text(sign))] if sign else [])
    return heading(element("span", {"class": "label"}, name(row.label), marked), "row")


def _column(column: Column) -> Markup:
    sign = element("span", {"title": column.aim}, text(column.sign))
    unit = element("small", {}, text(f"{column.unit} ".lstrip()), sign)
    return heading(join([text(column.title), unit]))


def _cell(cell: Cell | None) -> Markup:
    if cell is None:
        return element("td", {}, text(NOTHING))
    value = element("b", {"title": "best"} if cell.best else {}, text(cell.value))
    best = {"class": "best"} if cell.best else {}
    return element("td", best, value, element("small", {}, text(cell.interval)))


def timing_table(results: Results) -> Markup | None:
    """How long one picture takes; None when nothing was timed."""
    timed = [(row, row.timing) for row in results.rows if row.timing]
    if not timed:
        return None
    titles = ("model", "median, ms", "10th to 90th percentile", "runs", "threads", "size")
    head = element("tr", {}, *(heading(text(title)) for title in titles))
    rows = [
        element(
            "tr",
            {},
            row_heading(row),
            *(
                element("td", {}, text(each))
                for each in (
                    number(time.median_ms, 0),
                    f"{number(time.low_ms, 0)} to {number(time.high_ms, 0)}",
                    f"{time.runs:,}",
                    str(time.threads),
                    time.size,
                )
            ),
        )
        for row, time in timed
    ]
    return scrolled("Time of one picture", head, element("tbody", {}, *rows))


def skin_table(results: Results) -> Markup:
    """Every model's groups, one block for each model, and its largest gaps."""
    titles = skin_headings()
    head = element("tr", {}, *(heading(text(title)) for title in titles))
    blocks = []
    for each in results.fairness:
        whose = element("th", {"scope": "rowgroup", "colspan": len(titles)}, name(each.label))
        lines = [element("tr", {"class": "whose"}, whose)]
        for group in each.groups:
            first, *rest = skin_cells(group)
            cells = (element("td", {}, *_split(cell)) for cell in rest)
            if not group.enough:
                few = {"colspan": len(rest)}
                cells = (element("td", few, text(rest[0])) for _ in range(1))
            kind = {} if group.enough else {"class": "faint"}
            lines.append(element("tr", kind, heading(text(first), "row"), *cells))
        if gaps := gap_sentences(each):
            gap = element("td", {"colspan": len(titles)}, paragraph(" ".join(gaps)))
            lines.append(element("tr", {"class": "gap"}, gap))
        blocks.append(element("tbody", {}, *lines))
    return scrolled("Skin by group of tones", head, *blocks)


def _split(cell: str) -> list[Markup]:
    """A value and, small, its interval."""
    value, _, interval = cell.partition(" ")
    return [text(value), element("small", {}, text(interval))]
