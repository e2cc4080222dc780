"""The contact sheets of the report: which scans a reviewer should see, and how they are shown.

The same ledger gives the same sheets: "random" is the order of the scans' checksums, which has
nothing to do with what is on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tintype.archive.report_figures import FINDINGS
from tintype.archive.report_rows import Rows, Scan, scans_of
from tintype.evaluation.report.markup import (
    Markup,
    data_block,
    element,
    join,
    name,
    paragraph,
    picture_address,
    text,
)
from tintype.evaluation.report.wording import count

Pictures = Callable[[Scan], tuple[bytes, bytes] | None]
"""Small JPEGs of a scan, before and after; None where there are none."""

_HINT = (
    "Each pair is the scan and its colours, which are invented. Choose one to enlarge it, and flag "
    "what should be looked at again: the list of those flagged, with their ids and keys, is saved "
    "as lines of JSON."
)
_NAME_LETTERS = 160
_REASON_LETTERS = 400


@dataclass(frozen=True)
class Extent:
    """How much a report shows.

    Attributes:
        least: scans of the least confidence.
        random: scans drawn at random.
        finding: scans of each finding, drawn at random.
        most_bytes: of all pictures as they stand in the page; those beyond are left out.
    """

    least: int = 60
    random: int = 100
    finding: int = 40
    most_bytes: int = 15_000_000


@dataclass(frozen=True)
class Sheet:
    """Scans that are looked at together.

    Attributes:
        key: a short word.
        title: the heading.
        note: how they were chosen.
        scans: in the order in which they are shown.
    """

    key: str
    title: str
    note: str
    scans: Sequence[Scan]


@dataclass(frozen=True)
class Shown:
    """A sheet with its pictures.

    Attributes:
        sheet: it.
        addresses: before and after of each scan that is shown, or None where it has no pictures;
            shorter than the scans where the page would have become too large.
    """

    sheet: Sheet
    addresses: Sequence[tuple[str, str] | None]

    @property
    def cards(self) -> list[tuple[Scan, tuple[str, str] | None]]:
        """The scans that are shown, each with its pictures."""
        return list(zip(self.sheet.scans, self.addresses, strict=False))


def sheets_of(rows: Rows, found: dict[str, int], extent: Extent) -> list[Sheet]:
    """The sheets that have scans, the most urgent first."""
    latest = rows.latest
    sure = pc.and_(rows.is_done, pc.fill_null(pc.is_finite(latest["confidence"]), False))
    results = int(pc.sum(rows.is_done).as_py() or 0)
    least = _first(latest, sure, extent.least, "confidence")
    sheets = [
        Sheet(
            "least",
            "Least confident",
            f"The {count(len(least), 'scan')} of which the network was least sure, the least sure "
            "first: the place to begin.",
            least,
        ),
        _random(results, _first(latest, rows.is_done, extent.random, "sha256")),
    ]
    for column, words in FINDINGS.items():
        which = pc.fill_null(latest[column], False)
        note = _note(found[column], words, extent.finding)
        chosen = _first(latest, which, extent.finding, "sha256")
        sheets.append(Sheet(column, words[0].upper() + words[1:], note, chosen))
    return [sheet for sheet in sheets if sheet.scans]


def _random(results: int, drawn: Sequence[Scan]) -> Sheet:
    if len(drawn) == results:
        return Sheet("random", "All results", "Every result, in no order.", drawn)
    note = (
        f"Drawn from all {count(results, 'result')}: the share of good ones here is that of all, "
        f"give or take {_margin(len(drawn))} in a hundred. The same ledger gives the same ones."
    )
    number = "hundred" if len(drawn) == 100 else f"{len(drawn):,}"
    return Sheet("random", f"Random {number}", note, drawn)


def _margin(drawn: int) -> int:
    """Half the width of a 95 % interval of a share of one half, in hundredths."""
    return math.ceil(98 / math.sqrt(max(1, drawn)))


def _note(scans: int, words: str, most: int) -> str:
    if scans > most:
        return f"{most:,} of the {scans:,} scans that were found to be {words}, drawn at random."
    return f"{'The scan' if scans == 1 else f'All {scans:,} scans'} found to be {words}."


def _first(table: pa.Table, which: pa.ChunkedArray, most: int, column: str) -> list[Scan]:
    """The first scans among some, by a column; only the columns that order them are copied."""
    keys = [(column, "ascending"), ("id", "ascending")]
    some = table.select([column, "id"]).filter(which)
    order = pc.select_k_unstable(some, k=min(most, len(some)), sort_keys=keys)
    return scans_of(table.take(pc.indices_nonzero(which).take(order)))


def with_pictures(sheets: Sequence[Sheet], pictures: Pictures, most_bytes: int) -> list[Shown]:
    """Fetch pictures for all sheets in turns, so that a page that gets full is so for all alike.

    Raises:
        UsageError: a picture is no JPEG, PNG or WebP.
    """
    known: dict[str, tuple[str, str] | None] = {}
    got: list[list[tuple[str, str] | None]] = [[] for _ in sheets]
    room = most_bytes
    for at in range(max((len(sheet.scans) for sheet in sheets), default=0)):
        for sheet, addresses in zip(sheets, got, strict=True):
            if at >= len(sheet.scans) or len(addresses) < at:
                continue
            scan = sheet.scans[at]
            if scan.id not in known:
                known[scan.id] = _addresses(scan, pictures)
            pair = known[scan.id]
            room -= sum(map(len, pair or ()))
            if room < 0:
                return [Shown(*each) for each in zip(sheets, got, strict=True)]
            addresses.append(pair)
    return [Shown(*each) for each in zip(sheets, got, strict=True)]


def _addresses(scan: Scan, pictures: Pictures) -> tuple[str, str] | None:
    pair = pictures(scan)
    if pair is None:
        return None
    return picture_address(pair[0], scan.source), picture_address(pair[1], scan.source)


def sheets_markup(shown: Sequence[Shown]) -> Markup:
    """All sheets, the bar that chooses among them, and what the script needs to know."""
    listed = {scan.id: [scan.id, scan.source] for each in shown for scan, _ in each.cards}
    places = {id_: at for at, id_ in enumerate(listed)}
    return join(
        [
            paragraph(_HINT, "note"),
            _bar(shown),
            *(_sheet(each, places) for each in shown),
            paragraph("No scan is flagged yet.", "none"),
            data_block("scans", list(listed.values())),
        ]
    )


def _bar(shown: Sequence[Shown]) -> Markup:
    """Buttons that show one sheet; of no use, and so hidden, without the script."""
    choices: list[tuple[str, str, int | None]] = [("all", "All sheets", None)]
    choices += [(each.sheet.key, each.sheet.title, len(each.addresses)) for each in shown]
    choices.append(("flagged", "Flagged", 0))
    buttons = (
        element(
            "button",
            {"type": "button", "value": key, "aria-pressed": "true" if key == "all" else "false"},
            text(title),
            *([] if number is None else [element("span", {}, text(f"{number:,}"))]),
        )
        for key, title, number in choices
    )
    group = element(
        "div", {"role": "group", "aria-label": "Which sheet", "class": "choices"}, *buttons
    )
    save = element(
        "button", {"type": "button", "id": "save", "disabled": ""}, text("Save the flagged")
    )
    return element("div", {"class": "choosing", "hidden": ""}, group, save)


def _sheet(shown: Shown, places: dict[str, int]) -> Markup:
    sheet = shown.sheet
    cards = (_card(scan, pair, places[scan.id]) for scan, pair in shown.cards)
    missing = len(sheet.scans) - len(shown.addresses)
    more = [
        paragraph(f"{count(missing, 'more scan')} would have made this page too large.", "note")
    ]
    return element(
        "section",
        {"class": "sheet", "id": f"sheet-{sheet.key}", "aria-labelledby": f"{sheet.key}-sheet"},
        element("h3", {"id": f"{sheet.key}-sheet"}, text(sheet.title)),
        paragraph(sheet.note),
        element("ul", {"class": "cards"}, *cards),
        *(more if missing else []),
    )


def _card(scan: Scan, pair: tuple[str, str] | None, place: int) -> Markup:
    called = _shortened(scan.source or scan.id, _NAME_LETTERS)
    words = element("div", {"class": "words"}, element("b", {}, name(called)), *_facts(scan))
    flag = element(
        "button",
        {"type": "button", "class": "flag", "aria-pressed": "false", "hidden": ""},
        text("Flag"),
        element("span", {"class": "said"}, text(f" {called}")),
    )
    card = {"class": "card", "data-scan": f"{place}"}
    return element("li", card, _pair(called, pair), words, flag)


def _pair(called: str, pair: tuple[str, str] | None) -> Markup:
    if pair is None:
        return element("p", {"class": "empty"}, text("No picture"))
    images = (
        element("img", {"src": src, "alt": words, "decoding": "async", "loading": "lazy"})
        for src, words in zip(pair, (f"{called}, the scan", "its colours"), strict=True)
    )
    return element("button", {"type": "button", "class": "pair"}, *images)


def _facts(scan: Scan) -> Iterator[Markup]:
    said = [f"confidence {scan.confidence:.2f}"] if scan.confidence is not None else []
    said += [f"{scan.megapixels:.1f} MP"] if scan.megapixels is not None else []
    said += [words for column, words in FINDINGS.items() if getattr(scan, column)]
    if said:
        yield element("span", {}, text(" · ".join(said)))
    if scan.error is not None:
        yield element("span", {"class": "reason"}, name(_shortened(scan.error, _REASON_LETTERS)))


def _shortened(words: str, letters: int) -> str:
    """Words whose middle is left out if they are long: the ends of a name tell most."""
    if len(words) <= letters:
        return words
    return f"{words[: letters // 2]}…{words[-letters // 2 :]}"


def enlarged() -> Markup:
    """The dialog, which the script fills."""
    buttons = (
        element("button", {"type": "button", "class": kind, "aria-label": says}, text(sign))
        for kind, says, sign in (
            ("previous", "Previous scan", "←"),
            ("next", "Next scan", "→"),
            ("close", "Close", "×"),
        )
    )
    flag = element("button", {"type": "button", "class": "flag"}, text("Flag"))
    keys = (("←  →", "scan"), ("F", "flag"), ("Esc", "close"))
    help_ = join(
        element("span", {}, element("kbd", {}, text(key)), text(f" {does}")) for key, does in keys
    )
    return element(
        "dialog",
        {"id": "enlarged", "aria-labelledby": "enlarged-title"},
        element(
            "div",
            {"class": "head"},
            element("p", {"id": "enlarged-title", "aria-live": "polite"}),
            element("div", {"class": "moves"}, flag, *buttons),
        ),
        element("div", {"class": "views"}),
        element(
            "div",
            {"class": "last"},
            paragraph("The colours are invented."),
            element("p", {"class": "keys", "aria-hidden": "true"}, help_),
        ),
    )
