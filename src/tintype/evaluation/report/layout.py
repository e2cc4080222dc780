"""How a page is laid out: its head, its parts with their headings, figures and lists."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.evaluation.report.markup import Markup, element, join, name, paragraph, text

Part = tuple[str, str, Markup | None]
"""Identifier, heading and content of a part of the page; without content it is left out."""


def laid_out(head: Sequence[Markup], parts: Sequence[Part]) -> Markup:
    """The head with the contents, and the parts; at least one must have content."""
    shown = [(key, title, content) for key, title, content in parts if content is not None]
    links = (
        element("li", {}, element("a", {"href": f"#{key}"}, text(title))) for key, title, _ in shown
    )
    contents = element("nav", {"aria-label": "Contents"}, element("ul", {}, *links))
    return join(
        [
            element("a", {"class": "skip", "href": f"#{shown[0][0]}"}, text("To the figures")),
            element("header", {}, *head, contents),
            element("main", {}, *(_section(*part) for part in shown)),
        ]
    )


def _section(key: str, title: str, content: Markup) -> Markup:
    head = element("h2", {"id": f"{key}-title"}, text(title))
    return element("section", {"id": key, "aria-labelledby": f"{key}-title"}, head, content)


def figure(caption: str, legend: Markup, drawn: Markup) -> Markup:
    """Charts over the whole width, their legend above."""
    return element("figure", {}, legend, drawn, element("figcaption", {}, paragraph(caption)))


def definitions(entries: Sequence[tuple[str, str]]) -> Markup:
    """Terms and what is to be said of each."""
    lines = (
        element("div", {}, element("dt", {}, name(term)), element("dd", {}, name(words)))
        for term, words in entries
    )
    return element("dl", {}, *lines)
