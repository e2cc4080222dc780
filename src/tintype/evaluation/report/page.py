"""The report as one web page that asks for nothing: figures, charts, pictures, protocol."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.evaluation.report import charts, distribution
from tintype.evaluation.report.exhibits import exhibits, lightbox
from tintype.evaluation.report.figures import figures_table, skin_table, timing_table
from tintype.evaluation.report.findings import all_columns, grey_of, summary_columns
from tintype.evaluation.report.gallery import Gallery
from tintype.evaluation.report.layout import Part, definitions, figure, laid_out
from tintype.evaluation.report.markup import (
    Markup,
    document,
    element,
    join,
    name,
    paragraph,
    text,
)
from tintype.evaluation.report.skin import skin_meanings
from tintype.evaluation.report.verdict import verdict
from tintype.evaluation.report.wording import count, facts, measured
from tintype.evaluation.results import Results


def page_of(results: Results, gallery: Gallery | None) -> str:
    """The page, complete in itself.

    Raises:
        UsageError: when a picture of the gallery is no JPEG, PNG or WebP.
    """
    parts: list[Part] = [
        ("summary", "Summary", _summary(results)),
        ("curves", "How near the colours are", _curves(results)),
        ("scatter", "Colour against accuracy", _scatter(results)),
        ("pictures", "Picture by picture", _distribution(results)),
        ("skin", "Skin", _skin(results)),
        ("gallery", "Gallery", exhibits(gallery) if gallery and gallery.sections else None),
        ("figures", "All figures", _all(results)),
        ("time", "Time", _time(results)),
        ("protocol", "How it was measured", _protocol(results)),
    ]
    body = join([laid_out(_header(results), parts), lightbox()])
    report = "evaluation/report"
    styles = [f"{report}/{each}.css" for each in ("page", "charts", "dialog", "gallery", "print")]
    title = f"{results.protocol.set_name} – Tintype bench"
    return document(title, body, styles, f"{report}/page.js")


def _header(results: Results) -> list[Markup]:
    return [
        paragraph("Tintype bench", "kicker"),
        element("h1", {}, name(results.protocol.set_name)),
        paragraph(verdict(results), "verdict"),
        paragraph(measured(results.protocol), "measured"),
    ]


def _beside(caption: str, drawn: Markup, *legend: Markup) -> Markup:
    """One chart, with its legend and caption beside it where there is room."""
    words = element("figcaption", {}, *legend, paragraph(caption))
    return element("figure", {"class": "beside"}, drawn, words)


def _summary(results: Results) -> Markup:
    table = figures_table(results, summary_columns(results), "Summary")
    pictures = count(results.protocol.pictures, "picture")
    return join(
        [
            table,
            paragraph(
                f"Means over {pictures}; small, their 95 % intervals. The best model of a column "
                "is marked, and so are those that print the same figure. ↑ higher is better, "
                "↓ lower, → nearest to what the true pictures have. How each figure is computed "
                "stands at the end.",
                "note",
            ),
        ]
    )


def _curves(results: Results) -> Markup | None:
    drawn = [charts.curves(results, rebalanced=each) for each in (False, True)]
    if not any(drawn):
        return None
    caption = (
        "How many pixels have a colour within a distance of the true one, for every distance. "
        "Rebalanced, rare colours weigh as much as common ones, so that grey no longer pays. "
        "The axis ends where nearly every pixel is within the distance."
    )
    legend = charts.legend(results, charts.all_labels(results))
    return figure(caption, legend, charts.side_by_side(*drawn))


def _scatter(results: Results) -> Markup | None:
    drawn = charts.scatter(results)
    if drawn is None:
        return None
    caption = (
        "Pale pictures are seldom far wrong, so accuracy and colour belong together: up is "
        "nearer to the true picture, and right is more colourful. Whiskers are 95 % intervals; a "
        "thin line joins the strengths of one model; the oracle is not shown."
    )
    shown = [row.label for row in results.rows if row.kind == "model"]
    return _beside(caption, drawn, charts.legend(results, shown))


def _distribution(results: Results) -> Markup | None:
    drawn = distribution.distribution(results)
    if drawn is None:
        return None
    what = "PSNR over grey" if grey_of(results) else "PSNR"
    caption = (
        f"{what} of every picture. The box holds the middle half of the pictures, its bar the "
        "median, and the line all but the lowest and highest 5 %."
    )
    return _beside(caption, drawn)


def _skin(results: Results) -> Markup | None:
    if not results.fairness:
        return None
    drawn = charts.skin_errors(results)
    caption = (
        "Colour error on the skin of faces, by how light the true skin is (individual typology "
        "angle). Groups of too few faces stay grey and empty: they would say nothing."
    )
    parts = []
    if drawn is not None:
        legend = charts.legend(results, [each.label for each in results.fairness])
        parts.append(_beside(caption, drawn, legend))
    meanings = "; ".join(f"{heading}: {meaning}" for heading, meaning in skin_meanings())
    return join([*parts, skin_table(results), paragraph(f"{meanings}.", "note")])


def _all(results: Results) -> Markup | None:
    if all(metric.main for metric in results.metrics):
        return None
    return figures_table(results, all_columns(results), "All figures")


def _time(results: Results) -> Markup | None:
    table = timing_table(results)
    if table is None:
        return None
    note = f"One picture, array to array, alone on the machine: {results.protocol.machine}."
    return join([table, paragraph(note, "note")])


def _protocol(results: Results) -> Markup:
    metrics = [
        (column.heading, f"{column.protocol}; {column.aim}.") for column in all_columns(results)
    ]
    left_out = [(each.name, each.reason) for each in results.protocol.left_out]
    return join(
        [
            element("h3", {}, text("Set and versions")),
            definitions(facts(results)),
            element("h3", {}, text("Figures")),
            definitions(metrics),
            *_folded("Not measured", list(results.missing.items())),
            *_folded("Left out", left_out),
        ]
    )


def _folded(title: str, entries: Sequence[tuple[str, str]]) -> list[Markup]:
    """A list that may be long: folded beyond a dozen entries."""
    if not entries:
        return []
    head = element("h3", {}, text(f"{title} ({len(entries):,})"))
    if len(entries) <= 12:
        return [head, definitions(entries)]
    summary = element("summary", {}, text("Show them"))
    return [head, element("details", {}, summary, definitions(entries))]
