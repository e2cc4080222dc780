"""Which of the pictures that were found go into the set, on which side, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tintype.errors import TrainingError, UsageError
from tintype.training.prepare.duplicates import mark_repeated
from tintype.training.prepare.found import Layout
from tintype.training.prepare.order import DEFAULT_SPLIT, Order
from tintype.training.prepare.splitting import (
    NOT_TAKEN,
    Split,
    choose,
    position_of,
    rank_of,
)

LEAST_SIDE = 16
"""Pictures with a shorter side are icons or rubbish."""


class Fate(IntEnum):
    """What became of a picture."""

    KEPT = 0
    UNREADABLE = 1
    SMALL = 2
    GREY = 3
    SAME = 4
    ALIKE = 5
    UNLISTED = 6
    SPARE = 7

    @property
    def words(self) -> str:
        """For people."""
        return _WORDS[self]


_WORDS = {
    Fate.KEPT: "kept",
    Fate.UNREADABLE: "unreadable",
    Fate.SMALL: f"smaller than {LEAST_SIDE} pixels",
    Fate.GREY: "grey",
    Fate.SAME: "exact duplicates",
    Fate.ALIKE: "near-duplicates",
    Fate.UNLISTED: "in none of their set's own lists",
    Fate.SPARE: "usable but not asked for",
}


@dataclass(frozen=True)
class Selection:
    """What became of every row of a scan.

    Attributes:
        fate: (n,) values of ``Fate``.
        split: the sides.
        side: (n,) index of the side, or NOT_TAKEN.
        lent: (n,) whether it came from another side's stretch of the hashes.
        own: (n,) whether it is there because its set says so.
    """

    fate: NDArray[np.int64]
    split: Split
    side: NDArray[np.int64]
    lent: NDArray[np.bool_]
    own: NDArray[np.bool_]


def select(order: Order, layouts: Sequence[Layout], rows: NDArray[np.void]) -> Selection:
    """Sort out what is unfit, draw from the sources, and split.

    Args:
        order: what was asked for.
        layouts: of the order's sources.
        rows: (n,) of ``scanning.ROW``, of all sources; "source" counts the layouts.

    Raises:
        TrainingError: nothing is left, or fewer pictures than asked for.
        UsageError: the sets' own lists were asked for, and there are none.
    """
    fate = np.full(len(rows), Fate.KEPT, np.int64)
    sides = _own_sides(layouts, rows) if order.own_splits else np.full(len(rows), "")
    _sort_out(order, rows, sides, fate)
    split = order.split or Split.parse(DEFAULT_SPLIT).with_sides({*sides.tolist()} - {""})
    own = np.array([split.index(side) for side in sides.tolist()], np.int64)
    _mark(fate, (own == NOT_TAKEN) & (sides != ""), Fate.SPARE)
    _mark(fate, ~_drawn(order, rows, fate == Fate.KEPT), Fate.SPARE)

    usable = np.flatnonzero(fate == Fate.KEPT)
    if not len(usable):
        raise TrainingError(f"No picture is left of {len(rows)}: {told(fate)}.")
    position, strata = position_of(rows["digest"])[usable], _strata(order, rows)[usable]
    choice = choose(split, position, strata, own[usable])
    side, lent = np.full(len(rows), NOT_TAKEN, np.int64), np.zeros(len(rows), bool)
    side[usable], lent[usable] = choice.side, choice.lent
    _mark(fate, side == NOT_TAKEN, Fate.SPARE)
    if (fate != Fate.KEPT).all():
        raise TrainingError(f"No picture falls on a side of the split {split.text}: {told(fate)}.")
    return Selection(fate, split, side, lent, (own != NOT_TAKEN) & (side != NOT_TAKEN))


def _mark(fate: NDArray[np.int64], which: NDArray[np.bool_], why: Fate) -> None:
    """What befell a picture first is what is told."""
    fate[which & (fate == Fate.KEPT)] = why


def _sort_out(
    order: Order, rows: NDArray[np.void], sides: NDArray[np.str_], fate: NDArray[np.int64]
) -> None:
    """Mark what is unfit or there twice; ``sides`` are those that the sets themselves give."""
    short = rows["size"].min(axis=1)
    _mark(fate, short == 0, Fate.UNREADABLE)
    _mark(fate, short < LEAST_SIDE, Fate.SMALL)
    _mark(fate, rows["chroma"] < order.least_chroma, Fate.GREY)
    listed = np.isin(rows["source"], rows["source"][sides != ""])
    _mark(fate, listed & (sides == ""), Fate.UNLISTED)
    preferred = _preferred(rows, sides)
    same, alike = mark_repeated(
        rows["digest"], rows["print"], rows["colours"], preferred[fate[preferred] == Fate.KEPT]
    )
    _mark(fate, same, Fate.SAME)
    _mark(fate, alike, Fate.ALIKE)


def told(fate: NDArray[np.int64]) -> str:
    """How many pictures met which fate, but for those that were kept."""
    counts = {each: int((fate == each).sum()) for each in Fate if each != Fate.KEPT}
    return ", ".join(f"{count} {each.words}" for each, count in counts.items() if count)


def _own_sides(layouts: Sequence[Layout], rows: NDArray[np.void]) -> NDArray[np.str_]:
    """(n,) what the sets themselves say.

    Raises:
        UsageError: they say nothing.
    """
    places = zip(rows["source"].tolist(), rows["number"].tolist(), strict=True)
    sides = np.array([layouts[source].entries[number].side for source, number in places])
    if not (sides != "").any():
        raise UsageError(
            "The sets' own splits were asked for, and none of the sources has lists or folders "
            "called train, val or test."
        )
    return sides


def _preferred(rows: NDArray[np.void], sides: NDArray[np.str_]) -> NDArray[np.int64]:
    """All rows, those first that stay when others are like them.

    What a set gives to its test or validation stays there, so that nothing like it is trained on;
    of the others the largest stays. Everything else only makes the order one and the same.
    """
    pixels = rows["size"].astype(np.int64).prod(axis=1)
    keys = rows["number"], rows["source"], rank_of(rows["digest"]), -pixels, sides == "train"
    return np.lexsort(keys)


def _drawn(order: Order, rows: NDArray[np.void], usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) whether a picture is among those that its source is to give, lowest hashes first.

    Raises:
        TrainingError: a source has fewer.
    """
    drawn = np.ones(len(rows), bool)
    rank = rank_of(rows["digest"])
    for index, source in enumerate(order.sources):
        if source.take is not None:
            mine = np.flatnonzero(usable & (rows["source"] == index))
            if len(mine) < source.take:
                raise TrainingError(
                    f"{source.take} pictures of {source.name} are to be taken, and {len(mine)} "
                    "of it can be used."
                )
            drawn[mine[np.argsort(rank[mine], kind="stable")[source.take :]]] = False
    return drawn


def _strata(order: Order, rows: NDArray[np.void]) -> NDArray[np.int64]:
    if order.stratify == "none":
        return np.zeros(len(rows), np.int64)
    return rows[order.stratify].astype(np.int64)
