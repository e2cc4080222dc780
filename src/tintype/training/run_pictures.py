"""The validation pictures of a run's page: one time, chosen with a slider, and many in rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from tintype.evaluation.report.markup import (
    Markup,
    data_block,
    element,
    join,
    name,
    paragraph,
    text,
)
from tintype.evaluation.report.wording import count
from tintype.training.strips import FOLDER, Strips

_ROWS = 10
"""So many times at the most stand below each other."""


def exhibits(sets: Mapping[str, Strips], remarks: Mapping[int, str]) -> Markup | None:
    """The sets, each with its pictures at the chosen time and at many times; None without any.

    Args:
        sets: name to the strips.
        remarks: pictures seen to what a validation found then, in words.
    """
    if not sets:
        return None
    moments = sorted({moment for strips in sets.values() for moment in strips.moments})
    said = [_said(moment, remarks) for moment in moments]
    frames = [
        [_address(strips.moments[moment]) if moment in strips.moments else "" for moment in moments]
        for strips in sets.values()
    ]
    note = (
        "Of each picture the grey that was given, what the averaged network makes of it at the "
        "chosen time, and the truth."
    )
    parts = [paragraph(note, "note"), data_block("moments", {"said": said, "frames": frames})]
    if len(moments) > 1:
        parts.append(_slider(moments, said))
    return join([*parts, *(_set(each, strips, moments) for each, strips in sets.items())])


def _said(moment: int, remarks: Mapping[int, str]) -> str:
    seen = f"{count(moment, 'picture')} seen"
    return f"{seen}: {remarks[moment]}" if moment in remarks else seen


def _address(file: str) -> str:
    return f"{FOLDER}/{quote(file)}"


def _slider(moments: Sequence[int], said: Sequence[str]) -> Markup:
    last = len(moments) - 1
    control: dict[str, str | float] = {"type": "range", "id": "moment", "min": 0, "max": last}
    control |= {"value": last, "aria-valuetext": said[last], "autocomplete": "off"}
    return element(
        "div",
        {"class": "slider"},
        element("label", {"for": "moment"}, text("Time")),
        _step("before", "Earlier", "‹"),
        element("input", control),
        _step("after", "Later", "›"),
        element("output", {"for": "moment", "id": "said"}, text(said[last])),
    )


def _step(key: str, says: str, sign: str) -> Markup:
    return element("button", {"type": "button", "id": key, "aria-label": says}, text(sign))


def _set(title: str, strips: Strips, moments: Sequence[int]) -> Markup:
    head = element("h3", {}, name(title))
    last = max(strips.moments)
    shots = (_shot(title, strips, last, i) for i in range(strips.pictures))
    stage = element("ul", {"class": "stage"}, *shots)
    if len(moments) == 1:
        return element("div", {"class": "set"}, head, stage)
    rows = element("div", {"class": "times"}, *_times(title, strips, moments))
    return element("div", {"class": "set"}, head, stage, rows)


def _shot(title: str, strips: Strips, moment: int, index: int) -> Markup:
    """One picture: grey, predicted, true."""
    views = (("grey", strips.grey), ("predicted", strips.moments[moment]), ("true", strips.truth))
    return element(
        "li",
        {},
        *(
            _cut_out(f"{title}, picture {index + 1}, {kind}", kind, strips.pictures, index, file)
            for kind, file in views
        ),
    )


def _cut_out(described: str, kind: str, of: int, index: int, file: str) -> Markup:
    """A picture of a strip."""
    image = element(
        "image",
        {"href": _address(file), "width": of, "height": 1, "preserveAspectRatio": "none"},
    )
    frame = {"viewBox": f"{index} 0 1 1", "class": kind, "role": "img", "aria-label": described}
    return element("svg", frame, image)


def _times(title: str, strips: Strips, moments: Sequence[int]) -> Iterator[Markup]:
    """Whole strips, from grey through the times to the truth."""
    yield _row("grey", _strip(strips.grey, f"{title}, grey"))
    there = list(strips.moments)
    rows = min(_ROWS, len(there))
    for moment in (there[round(i * (len(there) - 1) / max(1, rows - 1))] for i in range(rows)):
        image = _strip(strips.moments[moment], f"{title}, {moment:,} pictures seen")
        at = {"type": "button", "class": "row", "value": str(moments.index(moment))}
        yield element("button", at, element("span", {}, text(f"{moment:,}")), image)
    yield _row("truth", _strip(strips.truth, f"{title}, truth"))


def _row(words: str, image: Markup) -> Markup:
    return element("div", {"class": "row"}, element("span", {}, text(words)), image)


def _strip(file: str, described: str) -> Markup:
    return element("img", {"src": _address(file), "alt": described, "loading": "lazy"})
