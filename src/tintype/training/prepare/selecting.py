"""Which of the pictures that were found go into the set, on which side, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tintype.errors import TrainingError, UsageError
from tintype.training.prepare.duplicates import mark_repeated
from tintype.training.prepare.found import Layout
from tintype.training.prepare.order import DEFAULT_SPLIT, Order, Source
from tintype.training.prepare.splitting import NOT_TAKEN, Split, choose, position_of, rank_of

LEAST_SIDE = 16
"""Pictures with a shorter side are icons or rubbish."""

KEPT, UNREADABLE, SMALL, GREY, SAME, ALIKE, UNLISTED, SPARE = range(8)

FATES = (
    "kept",
    "unreadable",
    f"smaller than {LEAST_SIDE} pixels",
    "grey",
    "exact duplicates",
    "near-duplicates",
    "in none of their set's own lists",
    "usable but not asked for",
)
"""What became of a picture, for people."""


def left_out(rows: NDArray[np.void]) -> dict[str, int]:
    """Why pictures were left out, and how many."""
    counts = np.bincount(rows["fate"], minlength=len(FATES)).tolist()
    return {why: count for why, count in zip(FATES[1:], counts[1:], strict=True) if count}


def select(order: Order, layouts: Sequence[Layout], rows: NDArray[np.void]) -> Split:
    """Sort out what is unfit, draw from the sources, and split.

    In the rows of all sources, (n,) of ``scanning.ROW``, fate, side, lent and own are filled in.

    Returns:
        The sides, with those of the sets' own lists.

    Raises:
        TrainingError: nothing is left, or fewer pictures than asked for.
        UsageError: the sets' own lists were asked for, and there are none.
    """
    sides = _own_sides(layouts, rows) if order.own_splits else np.full(len(rows), "")
    split = order.split or Split.parse(DEFAULT_SPLIT).with_sides({*sides.tolist()} - {""})
    own = np.array([split.index(side) for side in sides.tolist()], np.int64)
    _sort_out(order, rows, sides)
    _mark(rows, (own == NOT_TAKEN) & (sides != ""), SPARE)
    for index, source in enumerate(order.sources):
        _draw(source, rows, rows["source"] == index)

    usable = np.flatnonzero(rows["fate"] == KEPT)
    position, strata = position_of(rows["digest"][usable]), np.zeros(len(usable), np.int64)
    if order.stratify != "none":
        strata = rows[order.stratify][usable].astype(np.int64)
    rows["side"] = NOT_TAKEN
    rows["side"][usable], rows["lent"][usable] = choose(split, position, strata, own[usable])
    rows["own"] = (own != NOT_TAKEN) & (rows["side"] != NOT_TAKEN)
    _mark(rows, rows["side"] == NOT_TAKEN, SPARE)
    if (rows["fate"] != KEPT).all():
        told = ", ".join(f"{count} {why}" for why, count in left_out(rows).items())
        raise TrainingError(
            f"No picture is left of {len(rows)} for the split {split.text}: {told}."
        )
    return split


def _mark(rows: NDArray[np.void], which: NDArray[np.bool_], why: int) -> None:
    """What befell a picture first is what is told."""
    rows["fate"][which & (rows["fate"] == KEPT)] = why


def _sort_out(order: Order, rows: NDArray[np.void], sides: NDArray[np.str_]) -> None:
    """Mark what is unfit or there twice; ``sides`` are those that the sets themselves give."""
    short = rows["size"].min(axis=1)
    _mark(rows, short == 0, UNREADABLE)
    _mark(rows, short < LEAST_SIDE, SMALL)
    _mark(rows, rows["chroma"] < order.least_chroma, GREY)
    listed = np.isin(rows["source"], rows["source"][sides != ""])
    _mark(rows, listed & (sides == ""), UNLISTED)
    preferred = _preferred(rows, sides)
    preferred = preferred[rows["fate"][preferred] == KEPT]
    same, alike = mark_repeated(rows["digest"], rows["print"], rows["colours"], preferred)
    _mark(rows, same, SAME)
    _mark(rows, alike, ALIKE)


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
    free = ~np.isin(sides, ("val", "test"))
    keys = rows["number"], rows["source"], rank_of(rows["digest"]), -pixels, free
    return np.lexsort(keys)


def _draw(source: Source, rows: NDArray[np.void], mine: NDArray[np.bool_]) -> None:
    """Mark the usable pictures that a source is not to give; it gives its lowest hashes.

    Raises:
        TrainingError: it has too few.
    """
    usable = np.flatnonzero(mine & (rows["fate"] == KEPT))
    take = len(usable) if source.take is None else source.take
    if len(usable) < take:
        raise TrainingError(
            f"{take} pictures of {source.name} are to be taken, and {len(usable)} of it can be "
            "used."
        )
    ranked = usable[np.argsort(rank_of(rows["digest"][usable]), kind="stable")]
    rows["fate"][ranked[take:]] = SPARE
