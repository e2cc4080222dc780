"""A worker: a process that holds one loaded model and does jobs, several scans at a time."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.archive import ledger
from tintype.archive.journal import BLAMED, Journal
from tintype.archive.known import Recipe
from tintype.archive.listing import Entry, Source
from tintype.archive.places import place_of
from tintype.archive.scan import Row, Scanner, ledger_rows
from tintype.engine import Colorizer
from tintype.options import Options
from tintype.runtime import Session

LIMIT_S = 1800.0
"""A scan that takes longer hangs."""


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know; sent to each once.

    Attributes:
        source: where the scans are.
        options: how they are coloured.
        graph: the model's file, so that every worker has the one whose checksum is recorded.
        name: what the model is called where its graph does not say.
        recipe: what goes into the ledger about it.
        run: the run's id.
        tiles: the address at which IIIF tiles will be served; none are made without.
        device: where the network runs.
        cores: how many cores a worker has to itself.
        dry: nothing is read or written; for measuring how fast jobs are given out.
    """

    source: Source
    options: Options
    graph: bytes
    name: str
    recipe: Recipe
    run: str
    tiles: str | None = None
    device: str = "auto"
    cores: int = 1
    dry: bool = False


class Worker:
    """Does jobs; several threads may call it at once and share its threads."""

    def __init__(self, work: Work, journal: Path | None = None) -> None:
        """Load the model.

        Args:
            work: what is to be done.
            journal: the file in which scans in hand are noted.
        """
        self._work = work
        self._journal = Journal(journal)
        self._turns = _Turns()
        # One thread more than there are cores: while one waits for storage the others compute.
        self._pool = ThreadPoolExecutor(work.cores + 1, thread_name_prefix="tintype-scan")
        self._scanner = None if work.dry else _scanner(work)
        if journal is not None:
            threading.Thread(target=self._watch, name="tintype-watch", daemon=True).start()

    def __call__(self, job: pa.Table) -> pa.Table:
        """Do a job.

        Args:
            job: scans, under ``todo.JOB``.

        Returns:
            A row for each, under ``ledger.SCHEMA``.
        """
        scans = job.to_pylist()
        done = list(self._pool.map(self._one, [_entry(scan) for scan in scans]))
        rows = [(row, int(scan["attempt"])) for row, scan in zip(done, scans, strict=True)]
        return ledger.table_of(ledger_rows(rows, self._work.recipe, self._work.run))

    def _watch(self) -> None:
        """End this process when a scan takes for ever; its successor finds out which."""
        while self._journal.oldest_s() < LIMIT_S:
            time.sleep(min(10.0, LIMIT_S / 4))
        os.kill(os.getpid(), signal.SIGKILL)

    def _one(self, entry: Entry) -> Row:
        deaths = self._journal.deaths(entry.id)
        if deaths >= BLAMED:
            why = f"Its worker died or hung, {deaths} times; the file may be hostile."
            return replace(_blank(entry), error=why, error_kind="crashed")
        if self._scanner is None:
            blank = _blank(entry)
            return replace(blank, error=entry.refusal or None, error_kind=entry.kind or None)
        with self._turns.alone() if deaths else self._turns.together():
            self._journal.start(entry.id)
            row = self._scanner.do(entry)
            self._journal.end(entry.id)
        return row


class _Turns:
    """Many may work together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = 0
        self._alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = True
            self._changed.wait_for(lambda: not self._together)
        try:
            yield
        finally:
            with self._changed:
                self._alone = False
                self._changed.notify_all()


def _scanner(work: Work) -> Scanner:
    threads = 1 if work.device in ("auto", "cpu") else work.cores
    session = Session(work.graph, work.device, threads)
    colorizer = Colorizer(session, work.name, threads)
    dest = place_of(work.source.dest)
    return Scanner(work.source, dest, colorizer, work.options, work.tiles)


def _blank(entry: Entry) -> Row:
    return Row(entry.id, entry.source, entry.size, entry.version)


def _entry(scan: dict[str, Any]) -> Entry:
    return Entry(**{name: value for name, value in scan.items() if name != "attempt"})
