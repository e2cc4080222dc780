"""How an archive stands: what is done, what failed and why, how fast it goes, what is left."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow.compute as pc

from tintype.archive import lease, ledger, records
from tintype.archive.places import Place
from tintype.errors import UsageError

RECENT_S = 600.0
"""The rate is that of the last ten minutes of work."""

_LOOKS = 3
_COLUMNS = ("result", "result_bytes", "coloured", "toned", "error_kind", "run", "finished_at")


@dataclass
class Status:
    """How an archive stands.

    Attributes:
        done: scans with a result.
        coloured: scans in colour, left alone.
        failed: scans that stand as errors.
        toned: results of toned scans.
        errors: failed scans by kind.
        result_bytes: size of all results.
        run: the last run; None before the first.
        working: who holds the lease; None when nobody works.
        entered: rows of the last run.
        rate: rows per second in the last ten minutes of its work; None before there are two.
        left: scans that it has still to do; None when it works on and has not listed all.
        left_s: seconds until it is done; None when nobody works or it cannot be said.
    """

    done: int = 0
    coloured: int = 0
    failed: int = 0
    toned: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    result_bytes: int = 0
    run: records.Run | None = None
    working: lease.Claim | None = None
    entered: int = 0
    rate: float | None = None
    left: int | None = None
    left_s: float | None = None

    @property
    def total(self) -> int:
        """Scans in the ledger."""
        return self.done + self.coloured + self.failed


def status_of(place: Place) -> Status:
    """Read an archive's ledger and records; works from any machine that reaches DEST.

    Raises:
        UsageError: no run has been there.
    """
    for _ in range(_LOOKS):
        with suppress(FileNotFoundError):  # compaction took a part away while it was read
            return _looked_at(place)
    return _looked_at(place)


def _looked_at(place: Place) -> Status:
    runs = records.runs_of(place)
    claim = lease.read(place)
    status = Status(run=runs[-1] if runs else None)
    status.working = claim if claim is not None and lease.alive(claim) else None
    times: list[np.ndarray] = []
    for table in ledger.standing(place, _COLUMNS):
        has = pc.is_valid(table["result"])
        status.done += _count(has)
        status.failed += len(table) - table["error_kind"].null_count
        status.toned += _count(pc.and_(has, table["toned"]))
        status.errors.update(table["error_kind"].drop_null().to_pylist())
        status.result_bytes += pc.sum(table["result_bytes"]).as_py() or 0
        status.coloured += _count(pc.and_(pc.invert(has), table["coloured"]))
        if status.run is not None:
            mine = table.filter(pc.equal(table["run"], status.run.run))
            times.append(mine["finished_at"].cast("int64").to_numpy())
    if status.run is None and not status.total:
        raise UsageError(f"No archive run has been in {place.address}.")
    _add_pace(status, place, np.concatenate([*times, np.empty(0, np.int64)]))
    return status


def _add_pace(status: Status, place: Place, finished_us: np.ndarray) -> None:
    if status.run is None:
        return
    status.entered = len(finished_us)
    finished = np.sort(finished_us) / 1e6
    if len(finished):
        # From the run's own start where it is younger than the window: start-up counts.
        start = datetime.fromisoformat(status.run.started_at).timestamp()
        end = datetime.now(UTC).timestamp() if status.working else float(finished[-1])
        since = max(start, end - RECENT_S)
        recent = int((finished >= since).sum())
        status.rate = recent / max(1e-9, end - since) if recent > 1 else None
    listed = records.listed_of(place, status.run.run)
    if status.run.finished_at:
        status.left = 0
    elif listed is not None and listed.whole:
        status.left = max(0, listed.found - status.entered)
    if status.working and status.left and status.rate:
        status.left_s = status.left / status.rate


def _count(flags: object) -> int:
    return int(pc.sum(pc.fill_null(flags, False)).as_py() or 0)
