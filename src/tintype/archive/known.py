"""What the ledger knows as done, small enough for any number of scans: 20 bytes for each."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.archive import ledger
from tintype.archive.places import Place

Hashes = NDArray[np.uint64]

TRANSIENT = ("storage",)
"""Kinds of error that say nothing about the scan: a later run tries it again."""

_COLUMNS = (
    "id",
    "source_version",
    "model_sha256",
    "options",
    "result",
    "result_bytes",
    "error_kind",
    "attempt",
)
_AGAIN = np.uint64(0)


def hashes(texts: Iterable[str]) -> Hashes:
    """64 bits of BLAKE2b of each text."""
    digests = b"".join(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    )
    return np.frombuffer(digests, np.uint64)


@dataclass(frozen=True)
class Recipe:
    """What a result depends on besides the scan.

    Attributes:
        model: its name and version, for people.
        model_sha256: of its graph.
        options: those that change a result, as JSON with sorted keys.
    """

    model: str
    model_sha256: str
    options: str

    def mark(self, id: str, version: str | None) -> str:
        """A text that differs whenever the work would."""
        return _mark(id, version, self.model_sha256, self.options)


@dataclass(frozen=True)
class Known:
    """What is known of each scan, by the hash of its id, in that order.

    Two hashes of 64 bits must agree before a scan is passed over; should ids ever share one, the
    scan is done again.

    Attributes:
        ids: hash of the id, sorted.
        marks: hash of the id, the scan's version and the recipe; 0 when it is to be done again.
        attempts: how often it has been tried.
    """

    ids: Hashes
    marks: Hashes
    attempts: NDArray[np.int32]

    def look_up(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Where ids are in this table; -1 for those that are not."""
        wanted = hashes(ids)
        if not len(self.ids):
            return np.full(len(ids), -1)
        at = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[at] == wanted, at, -1)


def known_of(place: Place, present: Hashes, again: Collection[str] = TRANSIENT) -> Known:
    """Read the ledger.

    Args:
        place: DEST.
        present: what :func:`present_of` says of the results that are there; a scan whose result
            is not is done again.
        again: kinds of error that are not left standing.
    """
    ids, marks, attempts = [], [], []
    for table in ledger.standing(place, _COLUMNS):
        ids.append(hashes(table["id"].to_pylist()))
        marks.append(_marks(table, present, again))
        attempts.append(table["attempt"].to_numpy())
    if not ids:
        return Known(np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int32))
    whole = np.concatenate(ids)
    order = np.argsort(whole, kind="stable")
    return Known(whole[order], np.concatenate(marks)[order], np.concatenate(attempts)[order])


def present_of(results: Iterable[tuple[str, int]]) -> Hashes:
    """The results that are there, from their keys and sizes, sorted."""
    return np.sort(hashes(_named(key, size) for key, size in results))


def _marks(table: pa.Table, present: Hashes, again: Collection[str]) -> Hashes:
    columns = (table[name].to_pylist() for name in _COLUMNS[:4])
    marks = hashes(_mark(*row) for row in zip(*columns, strict=True))
    results, sizes = table["result"].to_pylist(), table["result_bytes"].to_pylist()
    named = hashes(_named(key or "", size or 0) for key, size in zip(results, sizes, strict=True))
    none = np.array([key is None for key in results], bool)
    left = np.array([kind not in again for kind in table["error_kind"].to_pylist()], bool)
    return np.where(left & (none | np.isin(named, present)), marks, _AGAIN)


def _mark(id: str, version: str | None, model_sha256: str, options: str) -> str:
    return "\0".join((id, version or "", model_sha256, options))


def _named(key: str, size: int) -> str:
    return f"{size}\0{key}"
