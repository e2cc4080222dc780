"""Which scans there are: the pictures of a folder or bucket, or the lines of a list.

A list is a CSV file with a head, JSON lines, or Parquet, with ``path`` and, if wanted, ``id``.
Paths in it are absolute, addresses, or relative to the list's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from tintype.archive.keys import (
    OWN,
    TILES,
    has_scheme,
    is_text,
    readable,
    result_key,
)
from tintype.archive.known import Hashes, hashes
from tintype.archive.lists import LIST_SUFFIXES, Line, lines_of
from tintype.archive.places import UNREADABLE, Place, place_of
from tintype.errors import UsageError
from tintype.images import SUFFIXES

_HASHED_LINES = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A scan as it was listed.

    Attributes:
        id: its name in the ledger.
        source: its key below SOURCE, or its path as a list has it.
        size: in bytes; None where only a list names it.
        version: as of ``places.Found``; None where only a list names it.
        refusal: why it cannot be done, as a sentence; "" when it can.
        kind: a short word for the refusal.
    """

    id: str
    source: str
    size: int | None = None
    version: str | None = None
    refusal: str = ""
    kind: str = ""


class Source:
    """What a run is to do, by its address; can be sent to another process."""

    def __init__(self, address: str, dest: str) -> None:
        """Name a source.

        Args:
            address: a folder, a bucket, or a list.
            dest: where results go; scans in there are left alone.

        Raises:
            UsageError: results would lie among the originals' own names.
        """
        self.address = address
        self.dest = dest
        self.is_list = _is_list(address)
        if not self.is_list:
            _refuse_mixture(place_of(address), place_of(dest))

    @cached_property
    def place(self) -> Place:
        """The folder or bucket; for a list, the one it lies in."""
        return place_of(_parent(self.address) if self.is_list else self.address)

    @cached_property
    def _rooms(self) -> dict[str, Place]:
        return {}

    @cached_property
    def _inside(self) -> Path | None:
        return place_of(self.dest).local

    def __getstate__(self) -> dict[str, object]:
        return {name: vars(self)[name] for name in ("address", "dest", "is_list")}

    def locate(self, source: str) -> tuple[Place, str]:
        """The place and key from which a scan is read.

        Args:
            source: as of ``Entry``.
        """
        if not self.is_list:
            return self.place, source
        if has_scheme(source):
            scheme, _, rest = source.partition("://")
            bucket, _, key = rest.partition("/")
            if scheme == "file":
                return self._room("/"), key
            query = self.address.partition("?")[2] if self.address.startswith(scheme) else ""
            return self._room(f"{scheme}://{bucket}{'?' if query else ''}{query}"), key
        if source.startswith("/") and self.place.local is not None:
            return self._room("/"), source.lstrip("/")
        return self.place, source

    def entries(self) -> Iterator[Entry]:
        """Every scan, in the same order each time as long as nothing changes."""
        return self._of_list() if self.is_list else self._of_place()

    def _room(self, address: str) -> Place:
        if address not in self._rooms:
            self._rooms[address] = place_of(address)
        return self._rooms[address]

    def _of_place(self) -> Iterator[Entry]:
        for found in self.place.walk(self.dest, (OWN, TILES)):
            if found.size == UNREADABLE:
                yield _refused(found.key, "folder", "It cannot be read.")
                continue
            if PurePosixPath(found.key).suffix.lower() not in SUFFIXES:
                continue
            if not is_text(found.key):
                yield _refused(found.key, "key", "The name is no UTF-8; rename the file.")
                continue
            entry = Entry(found.key, found.key, found.size, found.version)
            yield _checked(entry)

    def _of_list(self) -> Iterator[Entry]:
        twice = self._twice()
        first: dict[str, Entry] = {}
        for line in self._lines():
            if line.trouble:
                yield _refused(line.id, "list", line.trouble)
                continue
            entry = self._checked_in_list(Entry(line.id, line.path))
            if not entry.refusal and twice:
                names = _names(line)
                if any(np.uint64(value) in twice for value in hashes(names)):
                    entry_or_none = _again(entry, names, first)
                    if entry_or_none is None:
                        continue
                    entry = entry_or_none
            yield entry

    def _checked_in_list(self, entry: Entry) -> Entry:
        entry = _checked(entry)
        if entry.refusal:
            return entry
        try:
            place, key = self.locate(entry.source)
        except UsageError as error:  # an address that leads nowhere harms its own line
            return replace(entry, refusal=str(error), kind="key")
        inside = self._inside
        if inside is None:
            return entry
        if place.local is not None and (place.local / key).is_relative_to(inside):
            why = "It lies in DEST, where its result or another's might replace it."
            return replace(entry, refusal=why, kind="key")
        return entry

    def _lines(self) -> Iterator[Line]:
        name = PurePosixPath(self.address.partition("?")[0]).name
        return lines_of(self.place, name)

    def _twice(self) -> frozenset[np.uint64]:
        """Hashes of ids and of results' keys that come more than once, from a first reading."""
        found: list[Hashes] = []
        batch: list[str] = []
        for line in self._lines():
            if not line.trouble:
                batch.extend(_names(line))
            if len(batch) >= _HASHED_LINES:
                found.append(hashes(batch))
                batch = []
        ordered = np.sort(np.concatenate([*found, hashes(batch)]))
        return frozenset(np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))


def same_source(one: str, other: str) -> bool:
    """Whether two folders or buckets are the same; lists say where their scans are themselves."""
    if _is_list(one) or _is_list(other):
        return True
    paths = [address.partition("?")[0].rstrip("/") for address in (one, other)]
    return paths[0] == paths[1] or (
        not any(map(has_scheme, paths)) and Path(paths[0]).resolve() == Path(paths[1]).resolve()
    )


def _is_list(address: str) -> bool:
    path = address.partition("?")[0] if has_scheme(address) else address
    return PurePosixPath(path).suffix.lower() in LIST_SUFFIXES


def _names(line: Line) -> tuple[str, str]:
    """What must be a line's own: its id, and the name of its result."""
    try:
        return f"id {line.id}", f"to {result_key(line.path)}"
    except UsageError:
        return f"id {line.id}", f"to {line.path}"


def _again(entry: Entry, names: tuple[str, str], first: dict[str, Entry]) -> Entry | None:
    """An entry whose id or result another has too; None for the very same line once more."""
    others = [first.setdefault(name, entry) for name in names]
    other = next((each for each in others if each is not entry), None)
    if other is None:
        return entry
    if (other.id, other.source) == (entry.id, entry.source):
        return None
    what = "id" if other.id == entry.id else "result"
    why = f"The list gives {readable(other.source)!r} the same {what}; each scan needs its own."
    name = f"{entry.id} @ {entry.source}" if what == "id" else entry.id
    if name in first:
        return None
    first[name] = entry
    return replace(entry, id=name, refusal=why, kind="duplicate")


def _checked(entry: Entry) -> Entry:
    try:
        if not is_text(entry.source) or not is_text(entry.id):
            return _refused(entry.source, "key", "The name is no UTF-8; rename the file.")
        result_key(entry.source)
    except UsageError as error:
        return replace(entry, refusal=str(error), kind="key")
    return entry


def _refused(name: str, kind: str, why: str) -> Entry:
    return Entry(readable(name), readable(name), refusal=why, kind=kind)


def _parent(address: str) -> str:
    """The folder in which a list lies."""
    if not has_scheme(address):
        return str(Path(address).parent)
    path, _, query = address.partition("?")
    folder = path.rpartition("/")[0]
    return f"{folder}?{query}" if query else folder


def _refuse_mixture(source: Place, dest: Place) -> None:
    """Originals are never touched: no result may come to lie where an original could.

    Raises:
        UsageError: the two are one, or SOURCE lies in DEST.
    """
    if source.local is not None and dest.local is not None:
        inside = source.local.resolve().is_relative_to(dest.local.resolve())
    else:
        ends = [each.address.partition("?")[0].rstrip("/") + "/" for each in (source, dest)]
        inside = ends[0].startswith(ends[1])
    if inside:
        raise UsageError(
            f"The results in {dest.address} could replace originals of {source.address}, which "
            "lies in it; give another DEST (one below SOURCE is passed over)."
        )
