"""The lines of a list of scans: CSV, JSON lines or Parquet, read as a stream."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tintype.archive.keys import readable
from tintype.archive.places import Place
from tintype.errors import UsageError

LIST_SUFFIXES = (".csv", ".jsonl", ".ndjson", ".parquet")
"""How the name of a list ends."""

_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list.

    Attributes:
        id: the line's own, else its path.
        path: where the scan is.
        trouble: what is wrong with the line, as a sentence; "" when nothing is.
    """

    id: str
    path: str
    trouble: str = ""


def lines_of(place: Place, name: str) -> Iterator[Line]:
    """Read a list; what is no line of one is told in its place.

    Args:
        place: the folder or bucket in which it lies.
        name: its name.

    Raises:
        UsageError: there is no such list, or it has no column ``path``.
    """
    suffix = PurePosixPath(name).suffix.lower()
    with _on_disk(place, name) as path:
        if suffix == ".parquet":
            yield from _parquet(path)
            return
        with path.open(encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
            yield from _csv(file, name) if suffix == ".csv" else _json(file)


@contextmanager
def _on_disk(place: Place, name: str) -> Iterator[Path]:
    """The list as a file of this machine."""
    if place.find(name) is None:
        raise UsageError(f"There is no list {name} in {place.address}.")
    if place.local is not None:
        yield place.local / name
        return
    with tempfile.TemporaryDirectory(prefix="tintype-list-") as folder:
        copy = Path(folder) / "list"
        place.fetch(name, copy)
        yield copy


def _csv(file: IO[str], name: str) -> Iterator[Line]:
    csv.field_size_limit(1 << 20)
    # A zero byte is an error of the csv module; a path cannot hold one either.
    rows = csv.DictReader(line.replace("\0", "\\0") for line in file)
    if "path" not in (rows.fieldnames or ()):
        raise UsageError(f'The list {name} has no column "path" in its first line.')
    number = 1
    while True:
        number += 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield _bad(number, str(error))
            continue
        if row is None:
            return
        yield _line(row.get("path"), row.get("id"), number)


def _json(file: Iterable[str]) -> Iterator[Line]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            yield _bad(number, "it is no JSON")
            continue
        if not isinstance(row, dict):
            yield _bad(number, "it is no JSON object")
            continue
        yield _line(row.get("path"), row.get("id"), number)


def _parquet(path: Path) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"The list {path.name} is no Parquet file: {error}.") from error
    names = file.schema_arrow.names
    if "path" not in names:
        raise UsageError(f'The list {path.name} has no column "path".')
    wanted = [name for name in ("path", "id") if name in names]
    number = 0
    with file:
        for batch in file.iter_batches(_ROWS, columns=wanted):
            paths = batch.column("path").to_pylist()
            ids = batch.column("id").to_pylist() if "id" in wanted else [None] * len(paths)
            for each, id in zip(paths, ids, strict=True):
                number += 1
                yield _line(each, id, number)


def _line(path: object, id: object, number: int) -> Line:
    if not isinstance(path, str) or not path:
        return _bad(number, "it has no path")
    return Line(path if id is None or id == "" else readable(str(id)), path)


def _bad(number: int, why: str) -> Line:
    return Line(f"line {number}", "", f"Line {number} of the list cannot be read: {why}.")
