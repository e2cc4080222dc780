"""The ledger: a Parquet data set at DEST/_tintype/ledger, one row for what became of each scan.

A part is written whole or not at all, and a result is written before its row: a crash between the
two repeats work and loses none. While a run goes on a scan that is done again has two rows, of
which the one with the higher ``attempt`` counts (:func:`standing`); ``compaction`` at the run's end
leaves one row a scan.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tintype.archive.keys import OWN
from tintype.archive.places import Place
from tintype.errors import UnreadableImage

FOLDER = f"{OWN}/ledger"
"""Where the parts lie, below DEST."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_size", pa.int64()),
        pa.field("source_version", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("result", pa.string()),
        pa.field("result_bytes", pa.int64()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("model_sha256", pa.string(), nullable=False),
        pa.field("options", pa.string(), nullable=False),
        pa.field("tintype", pa.string(), nullable=False),
        pa.field("megapixels", pa.float64()),
        pa.field("seconds", pa.float64()),
        pa.field("confidence", pa.float32()),
        pa.field("toned", pa.bool_()),
        pa.field("coloured", pa.bool_()),
        pa.field("damaged", pa.bool_()),
        pa.field("error", pa.string()),
        pa.field("error_kind", pa.string()),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("run", pa.string(), nullable=False),
        pa.field("worker", pa.string(), nullable=False),
        pa.field("finished_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""The columns; docs/scale.md says what each means."""

Rows = list[dict[str, object]]
"""Rows as Python sees them, keys by ``SCHEMA``."""

PART_ROWS = 5_000
"""A part is written when so many rows wait ..."""

PART_S = 30.0
"""... or when the first of them has waited so long."""

_RANK = ("id", "attempt", "finished_at")


class Writer:
    """Collects rows and writes them in parts. One run has one."""

    def __init__(self, place: Place, run: str) -> None:
        self._place = place
        self._run = run
        self._waiting: list[pa.Table] = []
        self._since = time.monotonic()
        self.parts = 0

    def add(self, table: pa.Table) -> bool:
        """Take rows.

        Returns:
            Whether a part is due: there are many rows, or one has waited for long.
        """
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(table)
        rows = sum(len(each) for each in self._waiting)
        return rows >= PART_ROWS or time.monotonic() - self._since > PART_S

    def flush(self) -> None:
        """Write what waits as a part.

        Raises:
            OSError: storage took no part.
        """
        if not self._waiting:
            return
        write_part(self._place, f"{self._run}-{self.parts:06d}", pa.concat_tables(self._waiting))
        self._waiting = []
        self.parts += 1


def write_part(place: Place, name: str, table: pa.Table) -> str:
    """Write a part whole; gives its key."""
    file = io.BytesIO()
    pq.write_table(table.cast(SCHEMA), file, compression="zstd")
    key = f"{FOLDER}/{name}.parquet"
    place.write(key, file.getvalue())
    return key


def table_of(rows: Rows) -> pa.Table:
    """Rows as a table."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def now() -> datetime:
    """The time, for ``finished_at``."""
    return datetime.now(UTC)


class Part(NamedTuple):
    """A part that has been looked at.

    Attributes:
        key: where it is.
        keep: which of its rows stand, bool (rows,).
    """

    key: str
    keep: NDArray[np.bool_]


def parts_of(place: Place) -> list[str]:
    """The keys of all parts."""
    names = place.names(FOLDER)
    return [key for key in names if key.endswith(".parquet") and "/." not in key]


def read_part(place: Place, key: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of a part.

    Raises:
        FileNotFoundError: compaction took it away since it was listed.
        UnreadableImage: it is damaged.
    """
    data = place.read(key)
    wanted = None if columns is None else list(columns)
    try:
        return pq.read_table(pa.BufferReader(data), columns=wanted)
    except pa.ArrowInvalid as error:
        raise UnreadableImage(
            f"{key} in {place.address} is damaged; remove it, and the next run makes its scans "
            "again."
        ) from error


def standing(place: Place, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows that count, each scan once, part by part.

    Args:
        place: DEST.
        columns: which columns; all when None.

    Yields:
        Tables under ``SCHEMA``, or of its columns.
    """
    for part in surveyed(place):
        if part.keep.any():
            table = read_part(place, part.key, columns)
            yield table if part.keep.all() else table.filter(pa.array(part.keep))


def surveyed(place: Place) -> list[Part]:
    """All parts, and which of their rows stand: for each id the last attempt, finished last."""
    keys = parts_of(place)
    tables = [read_part(place, key, _RANK) for key in keys]
    if not tables:
        return []
    whole = pa.concat_tables(tables)
    lengths = [len(table) for table in tables]
    ids = _codes(whole["id"])
    finished = whole["finished_at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((finished, whole["attempt"].to_numpy(), ids))
    last = np.ones(len(order), bool)
    last[:-1] = ids[order[1:]] != ids[order[:-1]]
    keep = np.zeros(len(order), bool)
    keep[order[last]] = True
    ends = np.cumsum(lengths)[:-1]
    return [Part(key, mask) for key, mask in zip(keys, np.split(keep, ends), strict=True)]


def _codes(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each id, the same for the same id."""
    encoded = pc.dictionary_encode(ids.combine_chunks())
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    return np.concatenate([chunk.indices.to_numpy() for chunk in chunks]).astype(np.int64)
