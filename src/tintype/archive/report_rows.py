"""The rows of a ledger, as the report reads them: what it needs of each, one row a scan.

All columns stay Arrow's: a million rows take a few hundred megabytes, and no list of them is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from tintype.errors import UsageError

_REPEATED = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "source": pa.string(),
        "source_size": pa.int64(),
        "sha256": pa.string(),
        "result": pa.string(),
        "result_bytes": pa.int64(),
        "model": _REPEATED,
        "options": _REPEATED,
        "tintype": _REPEATED,
        "megapixels": pa.float64(),
        "seconds": pa.float64(),
        "confidence": pa.float64(),
        "toned": pa.bool_(),
        "coloured": pa.bool_(),
        "damaged": pa.bool_(),
        "error": pa.string(),
        "error_kind": _REPEATED,
        "attempt": pa.int64(),
        "run": _REPEATED,
        "worker": _REPEATED,
        "finished_at": pa.timestamp("us", tz="UTC"),
    }
)
"""The columns that are read of a ledger; others are passed over."""

_CHECKSUM_LETTERS = 16  # of 64: enough to put rows in an order that looks random


@dataclass(frozen=True)
class Scan:
    """One row, where a report shows it.

    Attributes:
        id: of the scan in the ledger.
        source: its key below SOURCE.
        result: the key of its result below DEST; None where there is none.
        megapixels: of the scan; None where it could not be opened.
        confidence: the mean, in [0, 1]; None where the model gives none.
        toned: whether it was found to be toned; None where nobody looked.
        coloured: likewise, already in colour.
        damaged: likewise.
        error: the sentence; None when all went well.
    """

    id: str
    source: str
    result: str | None
    megapixels: float | None
    confidence: float | None
    toned: bool | None
    coloured: bool | None
    damaged: bool | None
    error: str | None


@dataclass(frozen=True)
class Rows:
    """A ledger.

    Attributes:
        attempts: every row, of the columns of ``SCHEMA``.
        latest: of each scan the row that was finished last.
    """

    attempts: pa.Table
    latest: pa.Table

    @cached_property
    def is_done(self) -> pa.ChunkedArray:
        """Of each of the latest rows whether it tells of a result and of no error."""
        return pc.and_not(pc.is_valid(self.latest["result"]), self.is_failed)

    @cached_property
    def is_failed(self) -> pa.ChunkedArray:
        """Of each of the latest rows whether it tells of an error."""
        return pc.is_valid(self.latest["error"])

    def done(self, column: str) -> pa.ChunkedArray:
        """A column of the scans that are done; only it is copied, not a table of strings."""
        return self.latest[column].filter(self.is_done)


def read_rows(ledger: pa.Table | Iterable[pa.RecordBatch]) -> Rows:
    """Read what a report needs.

    Args:
        ledger: a table, or batches of one as they come.

    Raises:
        UsageError: a column is missing or holds something else.
    """
    batches = ledger.to_batches() if isinstance(ledger, pa.Table) else ledger
    attempts = pa.Table.from_batches([_reduced(each) for each in batches], SCHEMA)
    attempts = attempts.unify_dictionaries()
    return Rows(attempts, _latest(attempts))


def scans_of(table: pa.Table) -> list[Scan]:
    """The rows of a small table."""
    names = list(Scan.__dataclass_fields__)
    return [Scan(**row) for row in table.select(names).to_pylist()]


def _reduced(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The columns that are needed, each of the kind that is expected."""
    missing = [name for name in SCHEMA.names if name not in batch.schema.names]
    if missing:
        raise UsageError(f"This is no ledger of an archive: it has no column {missing[0]!r}.")
    try:
        columns = [_cast(batch.column(field.name), field.type) for field in SCHEMA]
    except pa.ArrowException as error:
        raise UsageError(f"This is no ledger of an archive: {error}.") from error
    at = SCHEMA.get_field_index("sha256")
    columns[at] = pc.utf8_slice_codeunits(columns[at], 0, _CHECKSUM_LETTERS)
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _cast(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    if wanted != _REPEATED:
        return column.cast(wanted)
    return column.cast(pa.string()).dictionary_encode()


def _latest(attempts: pa.Table) -> pa.Table:
    """Of each scan the row that was finished last."""
    if pc.count_distinct(attempts["id"]).as_py() == len(attempts):
        return attempts
    keys = [("id", "ascending"), ("finished_at", "ascending"), ("attempt", "ascending")]
    order = pc.sort_indices(attempts.select([name for name, _ in keys]), sort_keys=keys)
    ids = attempts["id"].take(order).combine_chunks()
    is_last = pa.concat_arrays([pc.not_equal(ids[:-1], ids[1:]), pa.array([True])])
    return attempts.take(order.filter(is_last))
