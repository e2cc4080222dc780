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

_FORM = "train=0.9,val=0.1 or train=rest,val=0.1 or train=3000,val=300"
_COUNT = re.compile(r"0*[1-9]\d{0,11}", re.ASCII)
_SHARE = re.compile(r"0?\.\d+|1\.0*", re.ASCII)


@dataclass(frozen=True)
class Side:
    """A side of a split.

    Attributes:
        name: of its shards.
        count: how many pictures; None: as many as its share gives.
        share: part of the line of hashes, in [0, 1].
    """

    name: str
    count: int | None
    share: float


@dataclass(frozen=True)
class Split:
    """All sides, in the order of their names, which is that of their stretches.

    Attributes:
        sides: of distinct names; the shares sum to 1 at the most.
        text: as it was asked for.
    """

    sides: tuple[Side, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read a split as it is written on the command line.

        Args:
            text: ``train=30000,val=10000,test=1000`` or ``train=0.9,val=0.1``; with shares, one
                side may be ``rest``.

        Raises:
            UsageError: it is written otherwise, or the shares exceed 1.
        """
        wanted: dict[str, str] = {}
        for part in text.split(","):
            name, _, amount = (piece.strip() for piece in part.partition("="))
            if not name.isidentifier() or name in wanted:
                raise UsageError(f"The split {text!r} should be written like {_FORM}.")
            wanted[name] = amount
        names, amounts = sorted(wanted), [wanted[name] for name in sorted(wanted)]
        if all(_COUNT.fullmatch(amount) for amount in amounts):
            counts = list(map(int, amounts))
            # Three standard deviations of the number of hashes that fall into the stretch.
            widths = [count + 3 * math.sqrt(count) for count in counts]
            shares = [width / sum(widths) for width in widths]
            return cls(tuple(map(Side, names, counts, shares)), text)
        return cls(tuple(map(Side, names, [None] * len(names), _shares(amounts, text))), text)

    def with_sides(self, names: Iterable[str]) -> Split:
        """The same with sides that no hash leads to, for the lists of sets."""
        new = sorted(set(names) - {side.name for side in self.sides})
        return Split((*self.sides, *(Side(name, None, 0.0) for name in new)), self.text)

    def index(self, name: str) -> int:
        """Of a side; NOT_TAKEN when there is none of that name."""
        return next((i for i, side in enumerate(self.sides) if side.name == name), NOT_TAKEN)

    def home(self, position: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index of the side whose stretch a position in [0, 1) falls into, or NOT_TAKEN."""
        ends = np.cumsum([side.share for side in self.sides])
        ends[np.isclose(ends, 1)] = 1  # the shares' rounding must lose no picture
        found = np.searchsorted(ends, position, side="right")
        return np.where(found < len(ends), found, NOT_TAKEN)


def _shares(amounts: Sequence[str], text: str) -> list[float]:
    """Shares as numbers, "rest" filled in.

    Raises:
        UsageError: one is none, or they exceed 1.
    """
    rest = amounts.count("rest")
    if rest > 1 or not all(amount == "rest" or _SHARE.fullmatch(amount) for amount in amounts):
        raise UsageError(
            f"The split {text!r} should be written like {_FORM}: numbers of pictures for all "
            "sides, or parts of 1 for all."
        )
    left = 1 - sum(float(amount) for amount in amounts if amount != "rest")
    if left < (1e-9 if rest else -1e-9):
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


@dataclass(frozen=True)
class Choice:
    """Who is on which side.

    Attributes:
        side: (n,) index of the side, or NOT_TAKEN.
        lent: (n,) whether it came from another side's stretch.
    """

    side: NDArray[np.int64]
    lent: NDArray[np.bool_]


def choose(
    split: Split,
    position: NDArray[np.float64],
    strata: NDArray[np.int64],
    own: NDArray[np.int64],
) -> Choice:
    """Give every picture its side.

    Args:
        split: the sides.
        position: (n,) on the line of hashes.
        strata: (n,) what each side is balanced over; all the same for none. The rarest kinds are
            taken whole, the others in equal numbers; without a count, all are cut to the rarest.
        own: (n,) index of the side that the set itself gives a picture, NOT_TAKEN for none.

    Raises:
        TrainingError: there are fewer pictures than asked for.
    """
    home = np.where(own == NOT_TAKEN, split.home(position), own)
    order = np.argsort(position, kind="stable")
    side = np.full(len(position), NOT_TAKEN, np.int64)
    for index, each in enumerate(split.sides):
        members = order[home[order] == index]
        side[_balanced(members, strata[members], each.count)] = index
    lent = _fill_up(split, side, home, position, own)
    return Choice(side, lent)


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


def _fill_up(
    split: Split,
    side: NDArray[np.int64],
    home: NDArray[np.int64],
    position: NDArray[np.float64],
    own: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Give sides that are short what others leave over; ``side`` is changed in place."""
    lent = np.zeros(len(side), bool)
    widths = np.array([max(each.share, 1e-12) for each in split.sides])
    starts = np.cumsum(widths) - widths
    spare = np.flatnonzero((side == NOT_TAKEN) & (own == NOT_TAKEN) & (home != NOT_TAKEN))
    depth = (position[spare] - starts[home[spare]]) / widths[home[spare]]
    spare = spare[np.argsort(-depth, kind="stable")]
    for index, each in enumerate(split.sides):
        missing = 0 if each.count is None else each.count - int((side == index).sum())
        if missing > len(spare):
            raise TrainingError(
                f"The split {split.text} asks for more than there is: {len(side)} pictures can be "
                f"used, and {each.name} is {missing - len(spare)} short. Ask for fewer or add a "
                "source."
            )
        side[spare[:missing]], lent[spare[:missing]] = index, True
        spare = spare[missing:]
    return lent
