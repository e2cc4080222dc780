"""How a model treats skin, group by group, in words: the cells of the fairness tables."""

from __future__ import annotations

from dataclasses import dataclass

from tintype.evaluation.report.wording import NOTHING, count, interval, number
from tintype.evaluation.results import Fairness, Figure, SkinGroup


@dataclass(frozen=True)
class _Column:
    """A figure of a group: its heading, what it says, and how it is printed."""

    heading: str
    meaning: str
    digits: int = 1
    factor: float = 1.0
    signed: bool = False

    def printed(self, figure: Figure | None) -> str:
        if figure is None:
            return NOTHING
        scaled = Figure(*(self.factor * v for v in (figure.value, figure.low, figure.high)))
        value = number(scaled.value, self.digits, signed=self.signed)
        return f"{value} {interval(scaled, self.digits, signed=self.signed)}".rstrip()


_DELTA_E = _Column("ΔE2000", "mean CIEDE2000 of the skin; lower is better")
_HUE = _Column("hue shift, °", "signed mean change of hue; positive is towards yellow", signed=True)
_CHROMA = _Column("chroma shift", "mean change of C*ab; negative is paler", signed=True)
_TRUE_POSITIVE = _Column("true positive, %", "part of the skin that was coloured as skin", 0, 100)
_FALSE_POSITIVE = _Column(
    "false positive, %", "part of the surroundings that was coloured as skin", 0, 100
)
_COLUMNS = (_DELTA_E, _HUE, _CHROMA, _TRUE_POSITIVE, _FALSE_POSITIVE)


def skin_headings() -> list[str]:
    """The headings of :func:`skin_cells`."""
    return ["skin", "faces", *(column.heading for column in _COLUMNS)]


def skin_meanings() -> list[tuple[str, str]]:
    """What each heading means."""
    return [(column.heading, column.meaning) for column in _COLUMNS]


def skin_cells(group: SkinGroup) -> list[str]:
    """A line of the table; a group of too few faces says so and gives no figures."""
    if not group.enough:
        return [group.group, too_few(group), *("" for _ in _COLUMNS)]
    figures = (
        group.delta_e,
        group.hue_shift,
        group.chroma_shift,
        group.true_positive,
        group.false_positive,
    )
    printed = [column.printed(each) for column, each in zip(_COLUMNS, figures, strict=True)]
    return [group.group, f"{group.faces:,}", *printed]


def too_few(group: SkinGroup) -> str:
    """What stands in place of figures that would say nothing."""
    return f"too few to say ({count(group.faces, 'face')})"


def gap_sentences(fairness: Fairness) -> list[str]:
    """The largest gaps between groups that are large enough."""
    gaps = (
        ("skin coloured as skin", _TRUE_POSITIVE, fairness.gap_true_positive),
        ("surroundings coloured as skin", _FALSE_POSITIVE, fairness.gap_false_positive),
    )
    return [
        f"Largest gap between groups in {what}: {column.printed(gap)} percentage points; the "
        "largest of several differences is never near 0, even where all are served alike."
        for what, column, gap in gaps
        if gap is not None
    ]
