"""Building HTML and SVG so that no text gets in unescaped: only this module makes ``Markup``.

File names are hostile. The type checker keeps a plain string from standing where markup is wanted,
and pages forbid the browser every request and every script but their own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import NewType

from tintype.evaluation.report.gallery import mime_type
from tintype.evaluation.report.wording import visible

Markup = NewType("Markup", str)
Attributes = Mapping[str, str | float]

_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(%|dB|ms)(\W|$))")
_VOID = {"br", "col", "hr", "img", "input", "link", "meta"}
_EMPTY = {"circle", "line", "path", "polygon", "polyline", "rect"}


def text(plain: str) -> Markup:
    """Text as markup: escaped, and with control characters made visible."""
    return Markup(html.escape(visible(plain)))


def name(plain: str) -> Markup:
    """A file name as markup: as :func:`text`, and kept from turning the line's direction."""
    return element("bdi", {}, text(plain))


def join(parts: Iterable[Markup]) -> Markup:
    """Markup one after the other."""
    return Markup("".join(parts))


def element(tag: str, attributes: Attributes, *content: Markup) -> Markup:
    """An element of HTML or SVG; an attribute whose value is "" stands alone.

    Args:
        tag: its name.
        attributes: numbers are written with two decimals at the most.
        content: nothing for elements that are always empty.
    """
    opening = "".join(f" {key}{_attribute(value)}" for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{opening}>")
    if tag in _EMPTY and not content:
        return Markup(f"<{tag}{opening}/>")
    return Markup(f"<{tag}{opening}>{''.join(content)}</{tag}>")


def _attribute(value: str | float) -> str:
    if value == "":
        return ""
    plain = html.escape(visible(value)) if isinstance(value, str) else compact(value)
    return f'="{plain}"'


def compact(value: float) -> str:
    """A coordinate: two decimals at the most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def paragraph(plain: str, kind: str = "") -> Markup:
    """A paragraph of prose, of a CSS class if there is one; no line ends before a unit."""
    prose = _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", plain)
    return element("p", {"class": kind} if kind else {}, text(prose))


def picture_address(encoded: bytes, of: str) -> str:
    """A ``data:`` address of an encoded picture.

    Raises:
        UsageError: when it is no JPEG, PNG or WebP.
    """
    return f"data:{mime_type(encoded, of)};base64,{base64.b64encode(encoded).decode('ascii')}"


def data_block(identifier: str, value: object) -> Markup:
    """JSON for the page's script, in an element that is not run."""
    content = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="{identifier}">{content}</script>')


def document(
    title: str, body: Markup, styles: Sequence[str], script: str, pictures: str = "data:"
) -> str:
    """A page in one file, which asks for nothing but its pictures and runs nothing else.

    Args:
        title: of the window.
        body: everything visible.
        styles: names of CSS files, "evaluation/report/page.css", in ``tintype``.
        script: likewise of a JavaScript file.
        pictures: where they may come from, as sources of a content security policy.
    """
    css, javascript = "\n".join(map(_resource, styles)), _resource(script)
    policy = (
        f"default-src 'none'; img-src {pictures}; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(css)}'; script-src '{_hash(javascript)}'"
    )
    head = join(
        [
            element("meta", {"charset": "utf-8"}),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
            element("meta", {"name": "color-scheme", "content": "light dark"}),
            element("meta", {"name": "referrer", "content": "no-referrer"}),
            element("title", {}, text(title)),
            Markup(f"<style>{css}</style>"),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en-GB">\n<head>{head}</head>\n'
        f"<body>\n{body}\n<script>{javascript}</script>\n</body>\n</html>\n"
    )


def _resource(path: str) -> str:
    return files("tintype").joinpath(path).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
