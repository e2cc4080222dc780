"""What a data set is: its card, as JSON for programs and as Markdown for people."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tintype.evaluation.report.tables import plain
from tintype.training.prepare.ready import Speeds

LISTED = 50
"""Unreadable files that the Markdown names; the JSON names all."""

_UNKNOWN = (
    "Whether people can be seen, and whether they agreed to this use, was not checked: take it "
    "that they can, and that they did not."
)
_LEFT_BEHIND = (
    "Metadata such as places, cameras and captions were left behind; of the pictures' own file "
    "names only classes were kept."
)


@dataclass(frozen=True)
class SourceFacts:
    """What came of a source.

    Attributes:
        name: how its pictures' file names begin.
        path: the last part of where it lay.
        layout: a key of ``layouts.LAYOUTS``.
        licence: as it was stated.
        found: pictures.
        kept: of these.
        left_out: why the others were not, and how many.
        classes: how many labels its pictures have.
    """

    name: str
    path: str
    layout: str
    licence: str
    found: int
    kept: int
    left_out: dict[str, int]
    classes: int


@dataclass(frozen=True)
class SideFacts:
    """One side of the split.

    Attributes:
        name: of the side.
        pictures: in it.
        shards: files.
        size_bytes: of these.
        lent: pictures that another side left over.
        own: pictures that are here because the set's own list or folder says so.
        by_source: pictures of each source.
        by_skin: pictures by the tone of their surest face; None: faces were not sought.
        colourfulness: mean, signed.
    """

    name: str
    pictures: int
    shards: int
    size_bytes: int
    lent: int
    own: int
    by_source: dict[str, int]
    by_skin: dict[str, int] | None
    colourfulness: float


@dataclass(frozen=True)
class Fault:
    """A file that cannot be read.

    Attributes:
        source: its source.
        name: inside it.
        why: a sentence.
    """

    source: str
    name: str
    why: str


@dataclass(frozen=True)
class Card:
    """Everything that is known of a prepared set.

    Attributes:
        name: of its folder.
        made_by: Tintype and its version.
        options: what was asked for.
        balanced: whether the sides were balanced over something.
        sources: what each gave.
        sides: of the split.
        found_sides_px: smallest, median and largest short side of the usable pictures found.
        stored_sides_px: the same of the pictures stored.
        colourfulness: mean over all pictures stored, by Hasler and Süsstrunk, signed.
        prior_side: the side that the prior was counted on.
        privacy: a remark on people.
        unreadable: all files that are.
        ready: speeds with and without the ready arrays; None without these.
        files: everything that was written.
    """

    name: str
    made_by: str
    options: dict[str, str]
    balanced: bool
    sources: Sequence[SourceFacts]
    sides: Sequence[SideFacts]
    found_sides_px: tuple[int, int, int]
    stored_sides_px: tuple[int, int, int]
    colourfulness: float
    prior_side: str
    privacy: str
    unreadable: Sequence[Fault]
    ready: Speeds | None
    files: Sequence[str]

    @property
    def found(self) -> int:
        """Pictures in all sources."""
        return sum(source.found for source in self.sources)

    @property
    def kept(self) -> int:
        """Pictures in the set."""
        return sum(side.pictures for side in self.sides)

    @property
    def left_out(self) -> dict[str, int]:
        """Why pictures were left out, and how many of all sources."""
        total: dict[str, int] = {}
        for source in self.sources:
            for why, count in source.left_out.items():
                total[why] = total.get(why, 0) + count
        return total


def privacy_remark(said: str, by_skin: Sequence[Mapping[str, int] | None]) -> str:
    """What the card says of people.

    Args:
        said: by the user; "" for nothing.
        by_skin: of each side, pictures by the tone of their surest face, the last without one.
    """
    if said:
        return said
    if any(each is None for each in by_skin):
        return f"{_UNKNOWN} {_LEFT_BEHIND}"
    counts = [list(each.values()) for each in by_skin if each is not None]
    faces, all_pictures = sum(sum(each[:-1]) for each in counts), sum(map(sum, counts))
    return (
        f"Upright faces of 44 pixels and more were sought and found in {faces} of {all_pictures} "
        f"pictures; people can be in the others as well. Whether they agreed to this use was not "
        f"checked. {_LEFT_BEHIND}"
    )


def json_of(card: Card) -> str:
    """The card for programs, with the sums that the Markdown shows."""
    sums = {"found": card.found, "kept": card.kept, "left_out": card.left_out}
    content = {**dataclasses.asdict(card), **sums}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def markdown_of(card: Card) -> str:
    """The card for people."""
    left_out = [(f"left out: {why}", f"{count:,}") for why, count in card.left_out.items()]
    parts = [
        f"# Data card: {plain(card.name)}",
        f"{card.kept:,} colour photographs for training colorization, made by {card.made_by}.",
        "## Counts",
        _table(
            ("", "pictures"), [("found", f"{card.found:,}"), *left_out, ("kept", f"{card.kept:,}")]
        ),
        "## Sources",
        _table(
            ("source", "from", "layout", "found", "kept", "left out", "classes", "licence"),
            map(_source_row, card.sources),
        ),
        "## Sides",
        _table(
            ("side", "pictures", "shards", "MB", "colourfulness", "of each source"),
            map(_side_row, card.sides),
        ),
        *_reservations(card.sides, card.balanced),
        *_skin(card.sides),
        "## Sizes",
        f"Short sides run from {_range(card.found_sides_px)} as found, and from "
        f"{_range(card.stored_sides_px)} as stored.",
        *_colour(card),
        *_speed(card.ready),
        "## People and privacy",
        plain(card.privacy),
        "## Made with",
        "\n".join(f"- {plain(name)}: {plain(value)}" for name, value in card.options.items()),
        *_unreadable(card.unreadable),
    ]
    return "\n\n".join(parts) + "\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _source_row(source: SourceFacts) -> Sequence[str]:
    left_out = ", ".join(f"{count:,} {why}" for why, count in source.left_out.items())
    numbers = f"{source.found:,}", f"{source.kept:,}", left_out or "none", str(source.classes)
    name, path, licence = map(plain, (source.name, source.path, source.licence))
    return name, path, source.layout, *numbers, licence


def _side_row(side: SideFacts) -> Sequence[str]:
    sources = ", ".join(f"{plain(name)} {count:,}" for name, count in side.by_source.items())
    size = f"{side.size_bytes / 1e6:.1f}"
    colour = f"{side.colourfulness:.1f}"
    return plain(side.name), f"{side.pictures:,}", str(side.shards), size, colour, sources


def _reservations(sides: Sequence[SideFacts], balanced: bool) -> list[str]:
    """Where a picture is not on the side that its hash alone would give it."""
    said = [
        f"{side.lent:,} pictures on the side {plain(side.name)} were left over by others, since "
        "too few hashes fall on its own."
        for side in sides
        if side.lent
    ]
    if said and (len(sides) > 2 or balanced):
        said.append(
            "Such a picture can change sides when sources are added; with more pictures to choose "
            "from there would be none."
        )
    own = sum(side.own for side in sides)
    said += [f"{own:,} pictures are on the side that their set's own lists give."] if own else []
    return [" ".join(said)] if said else []


def _skin(sides: Sequence[SideFacts]) -> list[str]:
    rows = [(plain(side.name), side.by_skin) for side in sides if side.by_skin is not None]
    if not rows or rows[0][1] is None:
        return []
    counted = [(name, *(f"{count:,}" for count in by.values())) for name, by in rows if by]
    return ["Pictures by the skin of their surest face:", _table(("side", *rows[0][1]), counted)]


def _range(sides_px: tuple[int, int, int]) -> str:
    least, median, most = sides_px
    return f"{least} to {most} px (median {median})"


def _colour(card: Card) -> list[str]:
    return [
        "## Colour",
        f"Colourfulness (Hasler and Süsstrunk 2003, signed, 8 bits): {card.colourfulness:.1f} on "
        "average over the pictures.",
        "![how often each colour occurs](prior.png)",
        f"The 313 ab bins by their share of the pixels of {plain(card.prior_side)}; `prior.npy` "
        "has the shares, not smoothed.",
    ]


def _speed(speeds: Speeds | None) -> list[str]:
    if speeds is None:
        return []
    gain, gain_decoded = speeds.ready / speeds.images, speeds.ready / speeds.pixels
    return [
        "## Ready arrays",
        "Lab and bins of crops for a batch, in pictures per second of one core's time on this "
        f"machine: {speeds.images:,.0f} from the shards' images, {speeds.pixels:,.0f} from RGB "
        f"decoded beforehand, {speeds.ready:,.0f} from the ready arrays, {gain:.1f} and "
        f"{gain_decoded:.1f} times as many.",
    ]


def _unreadable(faults: Sequence[Fault]) -> list[str]:
    if not faults:
        return []
    lines = [
        f"- {plain(fault.source)}, {plain(fault.name)}: {plain(fault.why)}"
        for fault in faults[:LISTED]
    ]
    more = len(faults) - LISTED
    lines += [f"- and {more:,} more, which card.json names"] if more > 0 else []
    return ["## Unreadable", "\n".join(lines)]
