"""The gallery of the page: shots with all their views, and the dialog that enlarges them."""

from __future__ import annotations

from tintype.evaluation.report.gallery import Gallery, Section, Shot
from tintype.evaluation.report.markup import (
    Markup,
    element,
    join,
    name,
    paragraph,
    picture_address,
    text,
)


def exhibits(gallery: Gallery) -> Markup:
    """All sections.

    Raises:
        UsageError: when a picture is no JPEG, PNG or WebP.
    """
    hint = (
        "Choose a picture to enlarge it. There, left and right change between its versions in "
        "place, up and down between pictures, and holding it shows the truth."
    )
    return join([paragraph(hint, "note"), *(_section(each) for each in gallery.sections)])


def _section(section: Section) -> Markup:
    note = [paragraph(section.note)] if section.note else []
    head = element("h3", {}, text(section.title))
    shots = (_shot(shot) for shot in section.shots)
    return join([head, *note, element("div", {"class": "shots"}, *shots)])


def _shot(shot: Shot) -> Markup:
    views = (
        element("li", {}, _view(shot.name, label, encoded)) for label, encoded in shot.views.items()
    )
    caption = [element("span", {}, text(shot.caption))] if shot.caption else []
    return element(
        "figure",
        {"class": "shot"},
        element("figcaption", {}, element("b", {}, name(shot.name)), *caption),
        element("ul", {"class": "views"}, *views),
    )


def _view(of: str, label: str, encoded: bytes) -> Markup:
    image = {"src": picture_address(encoded, of), "alt": of, "decoding": "async"}
    under = element("span", {}, name(label))
    return element("button", {"type": "button"}, element("img", image), under)


def lightbox() -> Markup:
    """The dialog, which the page's script fills."""
    keys = (
        ("←  →", "version"),
        ("↑  ↓", "picture"),
        ("T or hold", "the truth"),
        ("Esc", "close"),
    )
    help_ = join(
        element("span", {}, element("kbd", {}, text(key)), text(f" {does}")) for key, does in keys
    )
    buttons = (
        element("button", {"type": "button", "class": kind, "aria-label": says}, text(sign))
        for kind, says, sign in (
            ("previous", "Previous picture", "↑"),
            ("next", "Next picture", "↓"),
            ("close", "Close", "×"),
        )
    )
    return element(
        "dialog",
        {"id": "lightbox", "aria-labelledby": "lightbox-title"},
        element(
            "div",
            {"class": "bar"},
            element("p", {"id": "lightbox-title"}),
            element("div", {"class": "moves"}, *buttons),
        ),
        element("div", {"class": "stage"}),
        element("div", {"class": "versions", "role": "group", "aria-label": "Version"}),
        element("p", {"class": "said", "aria-live": "polite"}),
        element("p", {"class": "keys", "aria-hidden": "true"}, help_),
    )
