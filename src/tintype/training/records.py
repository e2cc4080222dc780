"""How the CSV files of a run are read and written, so that a kill at any moment spoils no row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from tintype.images.replacing import atomic

Row = Mapping[str, object]


def read_rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a CSV file; none if it is not there.

    A row whose writing was cut short, at the end of the file or before rows that were written
    later, is passed over.
    """
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8", "replace")
    whole = text[: text.rfind("\n") + 1]
    header, *lines = list(csv.reader(io.StringIO(whole, newline=""))) or [[]]
    return [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)]


def append_rows(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to a CSV file in one write, with a header when it is new.

    Args:
        path: the file.
        rows: of the same keys as those that the file has.
    """
    text = _as_csv(rows, header=not path.exists())
    with path.open("ab", buffering=0) as file:
        file.write(text)


def keep_until(path: Path, seen: int) -> None:
    """Take out the rows after the picture number ``seen``, and what is no whole row."""
    if not path.exists():
        return
    rows = [row for row in read_rows(path) if _number(row.get("pictures", "")) <= seen]
    if not rows:
        path.unlink()
    elif (kept := _as_csv(rows, header=True)) != path.read_bytes():
        with atomic(path) as file:
            file.write(kept)


def _number(text: str) -> float:
    """A count of pictures; infinity where none stands, so that such a row comes too late."""
    return int(text) if text.isdecimal() else float("inf")


def _as_csv(rows: Iterable[Row], *, header: bool) -> bytes:
    rows = list(rows)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, rows[0])
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8")
