"""One scan: read, coloured, written, and the ledger's row about it, whatever happens.

Reading, the network and writing are done by one thread of one process: a scan's bytes cross no
process boundary, and while one thread waits for storage others compute. Files above ``LARGE_BYTES``
go through the disk and stream, so that a scan of any size takes little memory.
"""

from __future__ import annotations

import hashlib
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from os import getpid
from pathlib import Path, PurePosixPath

from tintype import __version__
from tintype.archive import ledger
from tintype.archive.keys import TILES, result_key
from tintype.archive.known import Recipe
from tintype.archive.listing import Entry, Source
from tintype.archive.places import Place
from tintype.archive.tiles import address_of, write_level0
from tintype.download import sha256_of
from tintype.engine import Colorizer
from tintype.errors import (
    AlreadyColour,
    MissingExtra,
    TintypeError,
    UnreadableImage,
    UnwritableImage,
    UsageError,
)
from tintype.images import SUFFIXES, read_image
from tintype.options import Options, Report

LARGE_BYTES = 64 << 20
"""Files from this size on go through the disk."""

_ANY_SIZE = 1 << 62
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (MissingExtra, "extra"),
    (UnwritableImage, "unwritable"),
    (UsageError, "options"),
)


@dataclass
class Row:
    """What becomes of a scan; field by field the ledger's columns of the same names."""

    id: str
    source: str
    source_size: int | None = None
    source_version: str | None = None
    sha256: str | None = None
    result: str | None = None
    result_bytes: int | None = None
    megapixels: float | None = None
    seconds: float | None = None
    confidence: float | None = None
    toned: bool | None = None
    coloured: bool | None = None
    damaged: bool | None = None
    error: str | None = None
    error_kind: str | None = None
    finished_at: datetime = field(default_factory=ledger.now)


class Refused(Exception):
    """A scan that cannot be done, and what the ledger says of it.

    Attributes:
        kind: a short word.
        damaged: whether the file turned out to be damaged; None when it was not looked into.
    """

    def __init__(self, why: str, kind: str, damaged: bool | None = None) -> None:
        super().__init__(why)
        self.kind = kind
        self.damaged = damaged


class Scanner:
    """Does scans with one loaded model; threads share it."""

    def __init__(
        self,
        source: Source,
        dest: Place,
        colorizer: Colorizer,
        options: Options,
        tiles: str | None = None,
    ) -> None:
        """Prepare.

        Args:
            source: where the scans are.
            dest: where results go.
            colorizer: the loaded model.
            options: the same for all.
            tiles: the address at which tiles of results will be served; none are made without.
        """
        self._source = source
        self._dest = dest
        self._colorizer = colorizer
        self._options = options
        self._tiles = tiles

    def do(self, entry: Entry) -> Row:
        """Do a scan; every failure is a row."""
        start = time.perf_counter()
        row = Row(entry.id, entry.source, entry.size, entry.version)
        try:
            if entry.refusal:
                raise Refused(entry.refusal, entry.kind or "key")
            self._do(entry, row)
        except AlreadyColour:
            row.coloured, row.toned, row.damaged = True, False, False
        except Refused as refused:
            row.error, row.error_kind, row.damaged = str(refused), refused.kind, refused.damaged
        except Exception as error:  # whatever a file does, the run goes on
            row.error, row.error_kind = _sentence(error), _kind_of(error)
        row.seconds, row.finished_at = round(time.perf_counter() - start, 4), ledger.now()
        return row

    def _do(self, entry: Entry, row: Row) -> None:
        place, key = self._source.locate(entry.source)
        data = self._read(place, key, row)
        if data is None:
            self._through_disk(place, key, row)
        else:
            self._in_memory(data, row)

    def _read(self, place: Place, key: str, row: Row) -> bytes | None:
        """The file, or None when it is large."""
        with _reading():
            if row.source_version is None:
                found = place.find(key)
                if found is None:
                    raise Refused("There is no such file.", "missing")
                row.source_size, row.source_version = found.size, found.version
            if (row.source_size or 0) >= LARGE_BYTES:
                return None
            return place.read(key)

    def _in_memory(self, data: bytes, row: Row) -> None:
        row.source_size, row.sha256 = len(data), hashlib.sha256(data).hexdigest()
        made, report = self._coloured(data, None)
        assert made is not None
        key = result_key(row.source)
        with _writing():
            self._dest.write(key, made)
        if self._tiles is not None:
            with _scratch() as folder:
                result = folder / PurePosixPath(key).name
                result.write_bytes(made)
                self._tiled(result, key, folder)
        _tell(row, key, len(made), report)

    def _through_disk(self, place: Place, key: str, row: Row) -> None:
        suffix = PurePosixPath(key).suffix.lower()
        if suffix not in SUFFIXES:
            raise Refused("It is large, and its name does not end like a picture's.", "key")
        with _scratch() as folder:
            scan = place.local / key if place.local is not None else folder / f"scan{suffix}"
            with _reading():
                if place.local is None:
                    place.fetch(key, scan)
                row.source_size, row.sha256 = scan.stat().st_size, sha256_of(scan)
            result = folder / f"result{suffix}"
            _, report = self._coloured(scan, result)
            target = result_key(row.source)
            with _writing():
                self._dest.deliver(target, result)
            if self._tiles is not None:
                self._tiled(result, target, folder)
            _tell(row, target, result.stat().st_size, report)

    def _coloured(self, picture: bytes | Path, target: Path | None) -> tuple[bytes | None, Report]:
        if picture == b"":
            raise Refused("The file is empty.", "empty", damaged=True)
        tells = self._colorizer.gives_confidence
        try:
            return self._colorizer.colorize_file(
                picture, target, self._options, mean_confidence=tells
            )
        except UnreadableImage as error:
            raise _unreadable(picture, error) from error

    def _tiled(self, result: Path, key: str, folder: Path) -> None:
        """Tiles of a result, ``info.json`` last; its row comes after them.

        The second page of several lies in the folder 2 of the result's tiles, and so on.
        """
        made = folder / "tiles"
        pages = read_image(result).n_pages
        for page in range(pages):
            under = key if pages == 1 else f"{key}/{page + 1}"
            address = address_of(self._tiles or "", under)
            write_level0(result, made, identifier=address, page=page)
            paths = [path for path in made.rglob("*") if path.is_file()]
            with _writing():
                for path in sorted(paths, key=lambda path: (path.name == "info.json", path)):
                    name = path.relative_to(made).as_posix()
                    self._dest.deliver(f"{TILES}/{under}/{name}", path)


def ledger_rows(rows: list[tuple[Row, int]], recipe: Recipe, run: str) -> ledger.Rows:
    """Rows as the ledger has them.

    Args:
        rows: each with the attempt that it was.
        recipe: how results are made.
        run: the run's id.
    """
    same: dict[str, object] = {
        "model": recipe.model,
        "model_sha256": recipe.model_sha256,
        "options": recipe.options,
        "tintype": __version__,
        "run": run,
        "worker": f"{socket.gethostname()}:{getpid()}",
    }
    return [{**vars(row), **same, "attempt": attempt} for row, attempt in rows]


def _tell(row: Row, key: str, size: int, report: Report) -> None:
    height, width = report.size
    row.result, row.result_bytes = key, size
    row.megapixels = round(height * width * report.pages / 1e6, 4)
    row.confidence = report.confidence
    row.toned, row.coloured = report.tone == "toned", report.tone == "colour"
    row.damaged = False


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Refused("There is no such file any more.", "missing") from error
    except (OSError, ValueError) as error:
        raise Refused(f"It could not be read: {_reason(error)}.", "storage") from error


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"The result could not be written: {_reason(error)}.", "storage") from error


def _unreadable(picture: bytes | Path, error: UnreadableImage) -> Refused:
    """What kind of unreadable: too large, damaged (a decoder gave up), or no picture for us."""
    kind, damaged = "unreadable", False
    if error.__cause__ is not None:
        kind, damaged = "damaged", True
    else:
        try:
            read_image(picture, max_pixels=_ANY_SIZE)
        except TintypeError:
            pass
        else:
            kind = "large"
    return Refused(_sentence(error), kind, damaged)


def _kind_of(error: Exception) -> str:
    return next((kind for cls, kind in _KINDS if isinstance(error, cls)), "unexpected")


def _sentence(error: Exception) -> str:
    if not isinstance(error, TintypeError):
        return f"Unexpected {type(error).__name__}: {_reason(error)}."
    text = str(error)
    return text[:1].upper() + text[1:]


def _reason(error: Exception) -> str:
    """What an error says, in one line without its end stop."""
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(told).split())[:500].rstrip(".")


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder of this machine that goes when it is left."""
    with tempfile.TemporaryDirectory(prefix="tintype-scan-") as folder:
        yield Path(folder)
