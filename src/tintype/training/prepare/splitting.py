"""Which side a picture is on, train, val or test, by nothing but the hash of its content.

Every side owns a stretch of the line of hashes. A picture's side is where its hash falls, so that
other sources, other names and another order move no picture. Sides that ask for a number of
pictures take the lowest hashes of their stretch first: more pictures can push one out of the set,
not over to another side. A stretch is a little wider than the number asks for, so that chance
seldom leaves it short. Where it does, the side is filled up with what the others leave over, the
highest hashes first, which they would be the last to take. With two sides, even this moves no
picture when sources are added; with more, or when sides are balanced, it can, and the card says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.errors import TrainingError, UsageError

NOT_TAKEN = -1

COUNT = re.compile(r"0*[1-9]\d{0,11}", re.ASCII)
_SHARE = re.compile(r"0?\.\d+|1\.0*|rest", re.ASCII)


@dataclass(frozen=True)
class Split:
    """All sides, in the order of their names, which is that of their stretches.

    Attributes:
        names: of the sides and their shards, all different.
        counts: how many pictures each has; None: as many as its share gives.
        shares: parts of the line of hashes; their sum is 1 at the most.
        text: as it was asked for.
    """

    names: tuple[str, ...]
    counts: tuple[int | None, ...]
    shares: tuple[float, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read ``train=30000,val=10000,test=1000``, ``train=0.9,val=0.1``, ``train=rest,val=0.1``.

        Raises:
            UsageError: it is written otherwise, or the shares exceed 1.
        """
        parts = (part.partition("=") for part in text.split(","))
        wanted = dict(sorted((name.strip(), amount.strip()) for name, _, amount in parts))
        names, amounts = list(wanted), list(wanted.values())
        counted = all(map(COUNT.fullmatch, amounts))
        shared = all(map(_SHARE.fullmatch, amounts)) and amounts.count("rest") <= 1
        named = len(names) == text.count(",") + 1 and all(map(str.isidentifier, names))
        if not (named and (counted or shared)):
            raise UsageError(
                f"The split {text!r} should be written like train=0.9,val=0.1, train=rest,val=0.1 "
                "or train=3000,val=300: numbers of pictures for all sides, or parts of 1 for all."
            )
        counts = tuple(int(amount) if counted else None for amount in amounts)
        shares = _stretches(amounts) if counted else _shares(amounts, text)
        return cls(tuple(names), counts, tuple(shares), text)

    def with_sides(self, names: Iterable[str]) -> Split:
        """The same with sides that no hash leads to, for the lists of sets."""
        new = sorted(set(names) - set(self.names))
        counts, shares = [None] * len(new), [0.0] * len(new)
        return Split(
            (*self.names, *new), (*self.counts, *counts), (*self.shares, *shares), self.text
        )

    def index(self, name: str) -> int:
        """Of a side; NOT_TAKEN when there is none of that name."""
        return self.names.index(name) if name in self.names else NOT_TAKEN

    def home(self, position: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the side whose stretch a position in [0, 1) falls into, or NOT_TAKEN."""
        ends = np.cumsum(self.shares)
        ends[np.isclose(ends, 1)] = 1  # the shares' rounding must lose no picture
        found = np.searchsorted(ends, position, side="right")
        return np.where(found < len(ends), found, NOT_TAKEN)


def _stretches(counts: Sequence[str]) -> list[float]:
    """A little more than in proportion, so that chance seldom leaves a side short."""
    # Three standard deviations of the number of hashes that fall into the stretch.
    widths = [int(count) + 3 * math.sqrt(int(count)) for count in counts]
    return [width / sum(widths) for width in widths]


def _shares(amounts: Sequence[str], text: str) -> list[float]:
    """Shares as numbers, "rest" filled in.

    Raises:
        UsageError: they exceed 1.
    """
    left = 1 - sum(float(amount) for amount in amounts if amount != "rest")
    if left < (1e-9 if "rest" in amounts else -1e-9):
        raise UsageError(f"The split {text!r} shares out more than there is: its sum exceeds 1.")
    return [left if amount == "rest" else float(amount) for amount in amounts]


def position_of(digests: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where on the line [0, 1) content hashes (n, 32) lie, by their second eight bytes.

    The first eight are for drawing (:func:`rank_of`): what is drawn must not crowd on one side.
    """
    words = np.ascontiguousarray(digests[:, 8:16]).view(">u8")[:, 0]
    return np.asarray((words >> np.uint64(11)) / 2.0**53, np.float64)


def rank_of(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """What "lowest hashes first" goes by when pictures are drawn from a source: (n,)."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8")[:, 0].astype(np.uint64)


def choose(
    split: Split,
    position: NDArray[np.float64],
    strata: NDArray[np.int64],
    own: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give every picture its side.

    Args:
        split: the sides.
        position: (n,) on the line of hashes.
        strata: (n,) what each side is balanced over; all the same for none. The rarest kinds are
            taken whole, the others in equal numbers; without a count, all are cut to the rarest.
        own: (n,) index of the side that the set itself gives a picture, NOT_TAKEN for none.

    Returns:
        (n,) index of the side, or NOT_TAKEN; (n,) whether it came from another side's stretch.

    Raises:
        TrainingError: there are fewer pictures than asked for.
    """
    home = np.where(own == NOT_TAKEN, split.home(position), own)
    order = np.argsort(position, kind="stable")
    side = np.full(len(position), NOT_TAKEN, np.int64)
    for index, count in enumerate(split.counts):
        members = order[home[order] == index]
        side[_balanced(members, strata[members], count)] = index
    # Every side takes its own before any takes what others leave over.
    widths = np.maximum(split.shares, 1e-12)
    depth = (position - (np.cumsum(widths) - widths)[home]) / widths[home]
    spare = np.flatnonzero((side == NOT_TAKEN) & (own == NOT_TAKEN) & (home != NOT_TAKEN))
    spare = spare[np.argsort(-depth[spare], kind="stable")]
    return side, _fill_up(split, side, spare)


def _balanced(
    members: NDArray[np.int64], strata: NDArray[np.int64], count: int | None
) -> NDArray[np.int64]:
    """The first members of each stratum, as many of each as equality and the count allow."""
    if not len(members):
        return members
    kinds, sizes = np.unique(strata, return_counts=True)
    left = int(sizes.min()) * len(kinds) if count is None else count
    chosen = []
    for turn, which in enumerate(np.argsort(sizes, kind="stable")):
        quota = min(int(sizes[which]), left // (len(kinds) - turn))
        chosen.append(members[strata == kinds[which]][:quota])
        left -= quota
    return np.concatenate(chosen)


def _fill_up(split: Split, side: NDArray[np.int64], spare: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Give the spare pictures, in this order, to sides that are short; ``side`` is changed."""
    lent = np.zeros(len(side), bool)
    for index, count in enumerate(split.counts):
        missing = 0 if count is None else count - int((side == index).sum())
        if missing > len(spare):
            raise TrainingError(
                f"The split {split.text} asks for more than there is: {len(side)} pictures can be "
                f"used, and {split.names[index]} is {missing - len(spare)} short. Ask for fewer or "
                "add a source."
            )
        side[spare[:missing]], lent[spare[:missing]] = index, True
        spare = spare[missing:]
    return lent
