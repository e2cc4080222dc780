"""What is left to do: listed scans that the ledger does not know as done, in jobs for the workers.

A job is a table of some scans. The first jobs are small, so that a small archive is shared by all
workers; they grow, for each costs the scheduler some milliseconds (benchmarks/archive_million.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import pyarrow as pa

from tintype.archive import records
from tintype.archive.known import Known, Recipe, hashes
from tintype.archive.listing import Entry, Source
from tintype.archive.places import Place, place_of
from tintype.errors import TintypeError

JOB = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("size", pa.int64()),
        pa.field("version", pa.string()),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("refusal", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
"""The columns of a job; ``attempt`` is the one that is to be made."""

_SMALLEST, _LARGEST, _GROWS_EVERY = 4, 128, 4
_LOOKED_UP = 2_000
_ASKING = 32
_TELLS_EVERY_S = 5.0


class Jobs(Protocol):
    """Jobs that can be listed, here or in another process."""

    def __iter__(self) -> Iterator[pa.Table]:
        """The jobs, under ``JOB``."""


@dataclass(frozen=True)
class Todo:
    """What a run has to do. Listing it writes to the run's folder how far the listing is.

    Attributes:
        source: where the scans are.
        known: what the ledger says.
        recipe: how results are made.
        run: the run's id; "" when nobody is to be told.
    """

    source: Source
    known: Known
    recipe: Recipe
    run: str = ""

    def __iter__(self) -> Iterator[pa.Table]:
        """The jobs, under ``JOB``."""
        return jobs_of(self._told())

    def any(self) -> bool:
        """Whether there is something to do at all."""
        return next(iter(self.entries()), None) is not None

    def entries(self) -> Iterator[tuple[Entry, int]]:
        """Scans to be done, and which attempt that is."""
        for chunk in _chunks(self.source.entries()):
            yield from self._missing(chunk)

    def _told(self) -> Iterator[tuple[Entry, int]]:
        """The same as :meth:`entries`, while the run's folder is told how many were listed."""
        listed, found, told = 0, 0, time.monotonic()
        for chunk in _chunks(self.source.entries()):
            missing = list(self._missing(chunk))
            listed, found = listed + len(chunk), found + len(missing)
            if time.monotonic() - told > _TELLS_EVERY_S:
                self._tell(records.Listed(listed, found, whole=False))
                told = time.monotonic()
            yield from missing
        self._tell(records.Listed(listed, found, whole=True))

    def _tell(self, listed: records.Listed) -> None:
        if self.run:
            with suppress(OSError):  # it is news, and no part of the work
                records.write_listed(place_of(self.source.dest), self.run, listed)

    def _missing(self, chunk: Sequence[Entry]) -> Iterator[tuple[Entry, int]]:
        at = self.known.look_up([entry.id for entry in chunk])
        if self.source.is_list:
            chunk = _with_versions(self.source, chunk, at >= 0)
        marks = hashes(self.recipe.mark(entry.id, entry.version) for entry in chunk)
        for entry, place, mark in zip(chunk, at.tolist(), marks, strict=True):
            if place < 0:
                yield entry, 1
            elif self.known.marks[place] != mark:
                yield entry, int(self.known.attempts[place]) + 1


@dataclass(frozen=True)
class Again:
    """Scans that are tried again, whatever the ledger says; see ``archive retry``.

    Attributes:
        scans: each with the attempt to be made.
    """

    scans: Sequence[tuple[Entry, int]]

    def __iter__(self) -> Iterator[pa.Table]:
        """The jobs, under ``JOB``."""
        return jobs_of(self.scans)


def jobs_of(scans: Iterable[tuple[Entry, int]]) -> Iterator[pa.Table]:
    """Scans in jobs of a growing size."""
    number, each = 0, iter(scans)
    while some := list(islice(each, min(_LARGEST, _SMALLEST + number // _GROWS_EVERY))):
        yield pa.Table.from_pylist([_row(entry, attempt) for entry, attempt in some], schema=JOB)
        number += 1


def _row(entry: Entry, attempt: int) -> dict[str, object]:
    return {
        "id": entry.id,
        "source": entry.source,
        "size": entry.size,
        "version": entry.version,
        "attempt": attempt,
        "refusal": entry.refusal,
        "kind": entry.kind,
    }


def _chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while chunk := list(islice(entries, _LOOKED_UP)):
        yield chunk


def _with_versions(source: Source, chunk: Sequence[Entry], known: Iterable[bool]) -> list[Entry]:
    """The versions of those scans of a list that the ledger knows: has one changed?"""

    asked = list(chunk)
    far: list[int] = []
    for number, (entry, wanted) in enumerate(zip(chunk, known, strict=True)):
        if wanted and not entry.refusal:
            place, key = source.locate(entry.source)
            if place.local is None:
                far.append(number)
            else:  # threads would take longer than the file system does
                asked[number] = _with_version(entry, place, key)
    if far:
        with ThreadPoolExecutor(_ASKING, thread_name_prefix="tintype-ask") as pool:
            waiting = [(asked[n], *source.locate(asked[n].source)) for n in far]
            for number, entry in zip(
                far, pool.map(_with_version, *zip(*waiting, strict=True)), strict=True
            ):
                asked[number] = entry
    return asked


def _with_version(entry: Entry, place: Place, key: str) -> Entry:
    try:
        found = place.find(key)
    except (OSError, ValueError, TintypeError):
        return entry
    return entry if found is None else replace(entry, size=found.size, version=found.version)
