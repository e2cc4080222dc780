"""A run: what is missing is done, entered, and looked at once more until nothing is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import asdict, dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tintype.archive import known, lease, ledger, records
from tintype.archive.compaction import compact
from tintype.archive.folders import PARTS
from tintype.archive.keys import OWN, TILES
from tintype.archive.listing import Entry, same_source
from tintype.archive.order import Order, work_of
from tintype.archive.places import Place, place_of
from tintype.archive.todo import Again, Jobs, Todo
from tintype.archive.worker import Work
from tintype.errors import UsageError
from tintype.progress import Progress

PASSES = 3
"""How often a run looks for what is missing; when all went well the last look finds nothing."""

_LOOKS_EVERY_S = 2.0
_UNCHANGING = ("key", "duplicate", "list", "folder")


class Hands(Protocol):
    """What does jobs: ``cluster.Crew``."""

    @property
    def told(self) -> str:
        """What takes part, for people."""

    @property
    def cores(self) -> int:
        """How many cores take part."""

    def rows(self, jobs: Jobs, work: Work) -> Generator[pa.Table]:
        """Do jobs, yielding the ledger's rows in any order."""


Starts = Callable[[], AbstractContextManager[Hands]]
"""Starts what does the jobs, when there are some."""


@dataclass
class Tally:
    """What a run has done.

    Attributes:
        done: rows entered.
        failed: those that are errors.
        coloured: those that are pictures in colour, left alone.
        standing: rows of the ledger at the end.
        unsettled: whether something was still missing at the last look.
        cores: what took part; "" when there was nothing to do.
    """

    done: int = 0
    failed: int = 0
    coloured: int = 0
    standing: int = 0
    unsettled: bool = False
    cores: str = ""


class Runner:
    """One run over an archive, or one retry."""

    def __init__(self, order: Order, starts: Starts, stop: threading.Event | None = None) -> None:
        """Prepare; nothing is written yet.

        Args:
            order: what to do.
            starts: starts what does the jobs.
            stop: when set, what has come back is entered and no more waited for.

        Raises:
            UsageError: SOURCE and DEST that do not go together.
            ModelNotFound, ChecksumMismatch, ModelInvalid: the model cannot be used.
        """
        self.id = records.new_run()
        self.tally = Tally()
        self._order = order
        self._starts = starts
        self._stop = stop or threading.Event()
        self._dest = place_of(order.dest)
        self._work = work_of(order, self.id)
        self._started = records.stamp()
        self._writer = ledger.Writer(self._dest, self.id)
        self._listed = records.Listed(0, 0, whole=False)
        self._looked = 0.0

    def run(self) -> Generator[Progress]:
        """Do all that is missing or changed.

        Raises:
            UsageError: DEST holds files and no ledger, or the results of another SOURCE.
            UnwritableImage: another run works on DEST, or took it over.
            OSError: storage takes no ledger.
        """
        _refuse_strangers(self._dest, self._order)
        with lease.held(self._dest, self.id) as held:
            _sweep(self._dest)
            again: tuple[str, ...] = known.TRANSIENT
            for _ in range(PASSES):
                todo = self._todo(again)
                if self._stop.is_set() or not todo.any():
                    break
                yield from self._do(todo, held)
                again = ()
            else:
                self.tally.unsettled = self._todo(again).any()
            self._finish(held)

    def retry(self, kinds: frozenset[str] = frozenset()) -> Generator[Progress]:
        """Do again what stands in the ledger as an error.

        Args:
            kinds: which kinds of error; all that could end otherwise when empty.

        Raises:
            UsageError: a kind that only another listing can mend.
            UnwritableImage, OSError: as :meth:`run`.
        """
        if listed := kinds.intersection(_UNCHANGING):
            raise UsageError(
                f"Errors of the kind {', '.join(sorted(listed))} are of the listing, which would "
                "refuse these scans again; mend names or list, and run once more."
            )
        with lease.held(self._dest, self.id) as held:
            _sweep(self._dest)
            jobs = Again(tuple(_failed(self._dest, kinds)))
            self._listed = records.Listed(len(jobs.scans), len(jobs.scans), whole=True)
            if jobs.scans:
                records.write_listed(self._dest, self.id, self._listed)
                yield from self._do(jobs, held)
            self._finish(held)

    def _todo(self, again: tuple[str, ...]) -> Todo:
        walked = self._dest.walk(None, (OWN, TILES), hidden=True)
        present = known.present_of((found.key, found.size) for found in walked)
        table = known.known_of(self._dest, present, again)
        return Todo(self._work.source, table, self._work.recipe, self.id)

    def _do(self, jobs: Jobs, held: lease.Lease) -> Generator[Progress]:
        with self._starts() as hands:
            self.tally.cores = hands.told
            records.write_run(self._dest, self._record())
            with closing(hands.rows(jobs, self._work)) as tables:
                for table in tables:
                    if self._writer.add(table):
                        held.check()
                        self._writer.flush()
                    self._count(table)
                    yield self._progress()
                    if self._stop.is_set():
                        break
            held.check()
            self._writer.flush()

    def _count(self, table: pa.Table) -> None:
        self.tally.done += len(table)
        self.tally.failed += len(table) - table["error"].null_count
        in_colour = pc.and_(table["coloured"], pc.is_null(table["result"]))
        self.tally.coloured += pc.sum(in_colour).as_py() or 0

    def _progress(self) -> Progress:
        if not self._listed.whole and time.monotonic() - self._looked > _LOOKS_EVERY_S:
            self._listed = records.listed_of(self._dest, self.id) or self._listed
            self._looked = time.monotonic()
        total = max(self.tally.done, self._listed.found)
        failed = f", {self.tally.failed} failed" if self.tally.failed else ""
        listing = "" if self._listed.whole else ", still listing"
        return Progress(self.tally.done, total, f"scans{failed}{listing}")

    def _finish(self, held: lease.Lease) -> None:
        held.check()
        self.tally.standing = compact(self._dest, self.id)
        if self.tally.done or self._order.moved:
            ended = self._record().ended(self.tally.done, self.tally.failed)
            records.write_run(self._dest, ended)

    def _record(self) -> records.Run:
        recipe = self._work.recipe
        return records.Run(
            run=self.id,
            source=self._order.source,
            model=self._order.options.model,
            model_sha256=recipe.model_sha256,
            options=recipe.options,
            engine=asdict(self._order.options),
            tiles=self._order.tiles,
            cores=self.tally.cores,
            started_at=self._started,
        )


def _refuse_strangers(dest: Place, order: Order) -> None:
    """Results replace only results of the same scans: a DEST that is not ours must be empty.

    Raises:
        UsageError: it holds files and no run has been there, or one of another SOURCE.
    """
    runs = records.runs_of(dest)
    if runs and not order.moved and not same_source(runs[-1].source, order.source):
        raise UsageError(
            f"{dest.address} holds the results of {runs[-1].source}, whose names may be those of "
            f"{order.source}, too; give that a DEST of its own, or say --moved where it is the "
            "same archive in another place."
        )
    if runs or ledger.parts_of(dest):
        return
    with suppress(FileNotFoundError):
        if next(dest.walk(None, (OWN, TILES)), None) is not None:
            raise UsageError(
                f"{dest.address} holds files already and no ledger; give a DEST that is empty or "
                "was made by archive run."
            )


def _sweep(dest: Place) -> None:
    """Remove what a run that was killed had not finished; the caller holds the lease."""
    for key in dest.names(PARTS):
        dest.remove(key)


def _failed(dest: Place, kinds: frozenset[str]) -> Iterator[tuple[Entry, int]]:
    for table in ledger.standing(dest, ("id", "source", "error_kind", "attempt")):
        for row in table.filter(pc.is_valid(table["error_kind"])).to_pylist():
            kind = row["error_kind"]
            if kind in kinds or (not kinds and kind not in _UNCHANGING):
                yield Entry(row["id"], row["source"]), row["attempt"] + 1
