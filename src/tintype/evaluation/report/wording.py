"""How figures, protocols and reservations are put into words, the same in every report."""

from __future__ import annotations

import math
import re

from tintype.evaluation.results import Better, Figure, Protocol, Results, Row

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"

SEEN, UNKNOWN = "†", "‡"

_AIMS: dict[Better, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    "truth": "nearest to the truth is best",
    "neither": "neither way is good or bad",
}
_GREYS = {
    "lightness": "grey is the lightness L* of CIE Lab",
    "luma601": "grey is the luma of BT.601",
    "luma709": "grey is the luma of BT.709",
}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def visible(plain: str) -> str:
    """Text in one line: control characters become their pictures, or else U+FFFD.

    So do those that turn the direction of the line and what is no character at all.
    """
    return _UNPRINTABLE.sub(_picture, plain)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"


def number(value: float, digits: int, *, signed: bool = False) -> str:
    """A figure as it is printed: "24.31", "−0.20", "+1.62", "∞", or a dash for none."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    printed = f"{value:{'+' if signed else ''}.{digits}f}"
    if not float(printed):
        printed = printed.lstrip("+-")
    return printed.replace("-", MINUS)


def interval(figure: Figure, digits: int, *, signed: bool = False) -> str:
    """The 95 % interval, "[24.02, 24.60]"; "" when there is none."""
    if figure.low == figure.high or not math.isfinite(figure.low + figure.high):
        return ""
    ends = (number(end, digits, signed=signed) for end in (figure.low, figure.high))
    return f"[{', '.join(ends)}]"


def aim(better: Better) -> str:
    """Which way is good, in words."""
    return _AIMS[better]


def count(things: int, one: str, many: str = "") -> str:
    """ "1 picture", "1,000 pictures"."""
    return f"{things:,} {one if things == 1 else many or one + 's'}"


def size(protocol: Protocol) -> str:
    """ "at 256×256" or "at native size"."""
    plain = protocol.size
    return f"at {plain}×{plain}" if plain.isdigit() else f"at {plain} size"


def grey(protocol: Protocol) -> str:
    """What the models were given."""
    return _GREYS.get(protocol.grey, f"grey is {protocol.grey}")


def measured(protocol: Protocol) -> str:
    """The protocol in one line: set, pictures, left out, size, grey."""
    family = f" ({protocol.family})" if protocol.family else ""
    left_out = count(len(protocol.left_out), "file")
    return (
        f"{protocol.set_name}{family}: {count(protocol.pictures, 'picture')}, "
        f"{left_out} left out, {size(protocol)}; {grey(protocol)}."
    )


def mark(row: Row) -> str:
    """The reservation behind a model's label: "†", "‡" or ""."""
    if row.kind != "model" or row.seen is False:
        return ""
    return SEEN if row.seen else UNKNOWN


def reservations(results: Results) -> list[tuple[str, str]]:
    """Each mark that some row carries, and what it says."""
    family = results.protocol.family
    of = f"pictures of {family}" if family else "pictures of this set's family"
    said = {
        SEEN: f"has seen this set: its training or its encoder saw {of}.",
        UNKNOWN: f"nobody knows whether its training or its encoder saw {of}.",
    }
    marks = {mark(row) for row in results.rows}
    return [(sign, sentence) for sign, sentence in said.items() if sign in marks]


def facts(results: Results) -> list[tuple[str, str]]:
    """What was measured, with what, and when: a heading and its words."""
    protocol = results.protocol
    found = {
        "Set": protocol.set_name,
        "Drawn from": protocol.family,
        "SHA-256 of the set": protocol.set_sha256,
        "Pictures": f"{protocol.pictures:,}",
        "Size": size(protocol).removeprefix("at "),
        "Grey": grey(protocol).removeprefix("grey is "),
        **{f"Weights of {row.label}": _weights(row) for row in results.rows},
        "Versions": ", ".join(f"{name} {each}" for name, each in protocol.versions.items()),
        "Machine": protocol.machine,
        "Command": protocol.command,
        "Made": protocol.made,
    }
    return [(heading, words) for heading, words in found.items() if words]


def _weights(row: Row) -> str:
    parts = {"version": row.version, "SHA-256": row.sha256}
    if row.kind == "model":
        parts["strength"] = f"{row.strength:g}"
    return ", ".join(f"{what} {value}" for what, value in parts.items() if value)
