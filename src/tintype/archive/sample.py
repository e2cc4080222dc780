"""What the whole will take, from a sample: hours, machine-hours and storage, each with an interval.

The sample is drawn at random from the whole listing and coloured as a run would. What is beyond one
machine is arithmetic: twice the cores, half the time.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.archive.listing import Entry, Source
from tintype.archive.order import Order, work_of
from tintype.archive.run import Starts
from tintype.archive.todo import Again
from tintype.errors import UsageError
from tintype.progress import Progress

SAMPLE = 200
"""How many scans are measured unless another number is asked for."""

_RESAMPLES = 2_000
_LEVEL = 95.0
_SEED = 1  # the same listing gives the same sample
_FOLLOWS_SIZE = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and the interval in which it lies 95 times of 100, as far as the sample tells."""

    low: float
    likely: float
    high: float

    def times(self, factor: float, plus: float = 0.0) -> Estimate:
        """The same in another unit."""
        return Estimate(*(value * factor + plus for value in (self.low, self.likely, self.high)))


@dataclass(frozen=True)
class Machines:
    """Some machines that are alike.

    Attributes:
        count: how many.
        cores: of each.
    """

    count: int
    cores: int

    @classmethod
    def parse(cls, text: str, cores: int) -> Machines:
        """``10``: ten like the one that was measured; ``10x32``: ten with 32 cores each.

        Raises:
            UsageError: it is written otherwise.
        """
        found = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,3}))?", text)
        if found is None:
            raise UsageError(f"Machines are written COUNT or COUNTxCORES, not {text!r}.")
        return cls(int(found[1]), int(found[2] or cores))


@dataclass(frozen=True)
class Prospect:
    """What a sample says of the whole.

    Attributes:
        scans: how many scans there are.
        source_bytes: their size; None where a list does not say.
        sampled: how many were measured.
        failed: how many of those ended as errors.
        cores: that measured.
        start_s: from the start to the first scan in work: Ray, processes, the model.
        core_s: what one core would take for the whole.
        result_bytes: size of all results.
    """

    scans: int
    source_bytes: int | None
    sampled: int
    failed: int
    cores: int
    start_s: float
    core_s: Estimate
    result_bytes: Estimate

    def hours(self, machines: Machines) -> Estimate:
        """How long some machines work."""
        return self.core_s.times(1 / 3600 / (machines.count * machines.cores), self.start_s / 3600)


class Sampler:
    """Draws, measures and reckons; :meth:`measure` first, then :attr:`prospect`."""

    def __init__(self, order: Order, starts: Starts, clock: Callable[[], float], size: int) -> None:
        """Prepare.

        Args:
            order: what a run would be asked to do; its DEST is not touched.
            starts: starts what does the jobs.
            clock: seconds since 1970.
            size: how many scans to measure.
        """
        self._order = order
        self._starts = starts
        self._clock = clock
        self._size = size
        self.prospect: Prospect | None = None

    def measure(self) -> Generator[Progress]:
        """List, draw and colour.

        Raises:
            UsageError: there is nothing to colour.
        """
        listed = Listing.of(Source(self._order.source, self._order.dest), self._size)
        if not listed.drawn:
            raise UsageError(f"There is no picture in {self._order.source}.")
        with tempfile.TemporaryDirectory(prefix="tintype-plan-") as folder:
            order = replace(self._order, dest=folder)
            begun, rows = self._clock(), []
            with self._starts() as hands:
                cores = hands.cores
                jobs = Again(tuple((entry, 1) for entry in listed.drawn))
                with closing(hands.rows(jobs, work_of(order, "plan"))) as tables:
                    for table in tables:
                        rows += table.to_pylist()
                        yield Progress(len(rows), len(listed.drawn), "scans measured")
        self.prospect = _reckoned(listed, rows, cores, begun)


@dataclass(frozen=True)
class Listing:
    """A listing that was read to its end.

    Attributes:
        scans: how many it has.
        source_bytes: their size; None where a list does not say.
        drawn: a random sample.
    """

    scans: int
    source_bytes: int | None
    drawn: tuple[Entry, ...]

    @classmethod
    def of(cls, source: Source, size: int) -> Listing:
        """List, keeping a sample (Vitter 1985, algorithm R): every scan has the same chance."""
        chance = random.Random(_SEED)
        drawn: list[Entry] = []
        number, total = 0, 0
        for number, entry in enumerate(source.entries(), 1):
            total += entry.size or 0
            if len(drawn) < size:
                drawn.append(entry)
            elif (place := chance.randrange(number)) < size:
                drawn[place] = entry
        return cls(number, None if source.is_list else total, tuple(drawn))


def _reckoned(
    listed: Listing, rows: Sequence[dict[str, Any]], cores: int, begun: float
) -> Prospect:
    # A scan that took its worker along has no time of its own.
    seconds = np.array([row["seconds"] or 0 for row in rows], float)
    ends = np.array([row["finished_at"].timestamp() for row in rows], float)
    first, last = float((ends - seconds).min()), float(ends.max())
    # Threads wait for each other's cores and for the disk: what all of them took together is laid
    # upon the scans by what each took.
    core_s = seconds * ((last - first) * cores / max(1e-9, float(seconds.sum())))
    made = np.array([row["result_bytes"] or 0 for row in rows], float)
    sizes = np.array([row["source_size"] or 0 for row in rows], float)
    return Prospect(
        scans=listed.scans,
        source_bytes=listed.source_bytes,
        sampled=len(rows),
        failed=sum(row["error"] is not None for row in rows),
        cores=cores,
        start_s=max(0.0, first - begun),
        core_s=_whole(core_s, sizes, listed),
        result_bytes=_whole(made, sizes, listed),
    )


def _whole(values: Floats, sizes: Floats, listed: Listing) -> Estimate:
    """The sum over all scans, from those of a sample, with a bootstrap interval.

    Where the size of every scan is known and the values follow it, their ratio is laid upon all
    bytes (the ratio estimator, Cochran 1977, chapter 6); else the mean upon all scans.
    """
    chance = np.random.default_rng(_SEED)
    picks = chance.integers(0, len(values), (_RESAMPLES, len(values)))
    follows = listed.source_bytes is not None and sizes.std() > 0 and values.std() > 0
    if follows and np.corrcoef(values, sizes)[0, 1] > _FOLLOWS_SIZE:
        total = float(listed.source_bytes or 0)
        likely = total * values.sum() / sizes.sum()
        sums = total * values[picks].sum(1) / sizes[picks].sum(1)
    else:
        likely = listed.scans * values.mean()
        sums = listed.scans * values[picks].mean(1)
    low, high = np.percentile(sums, [(100 - _LEVEL) / 2, (100 + _LEVEL) / 2])
    return Estimate(float(low), float(likely), float(high))
