"""What has been done already: one small file per folder of results, a JSON line per result.

A line says from which picture, with which model and which options a result was made. The last
line about a result counts. A line is appended by a single write, so an interrupted run leaves at
worst one broken last line, which is passed over.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tintype import zoo

MANIFEST_NAME = ".tintype.jsonl"

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Recipe:
    """What a result depends on besides the picture itself.

    Attributes:
        model: the model's name.
        version: the model's version.
        weights_sha256: the checksum of its weights, hexadecimal.
        options: the options that change a result, as JSON would give them back.
    """

    model: str
    version: str
    weights_sha256: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class Record:
    """One line of the manifest.

    Attributes:
        target: the result's file name, without a folder.
        source: where the picture was, as it was given; only for people.
        source_sha256: the checksum of the picture's file, hexadecimal.
        source_stamp: what `source_stamp` said of that file; empty for standard input.
        target_stamp: what `target_stamp` said of the result when it had been written.
        recipe: how it was made.
        confidence_stamp: what `target_stamp` said of the confidence picture that was made with it;
            empty without one.
    """

    target: str
    source: str
    source_sha256: str
    source_stamp: Stamp
    target_stamp: Stamp
    recipe: Recipe
    confidence_stamp: Stamp = ()


def source_stamp(path: Path) -> Stamp:
    """Size, times and number of a file: while they stay, so does its content."""
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)


def target_stamp(path: Path) -> Stamp:
    """Size and time of a file's content; a new name or new permissions leave them alone."""
    stat = path.stat()
    return (stat.st_size, stat.st_mtime_ns)


def sha256_of(source: Path | bytes) -> str:
    """The sha256 of a file's content, or of bytes, hexadecimal."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    return zoo.sha256_of(source)


class Manifest:
    """The record of one folder. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / MANIFEST_NAME
        self._lock = threading.Lock()
        self._records, self._torn = _read(self._path)

    def get(self, target: Path) -> Record | None:
        """The record of a result in this folder, or None."""
        return self._records.get(target.name)

    def wrote(self, path: Path) -> bool:
        """Whether a file of this folder still is the result that was once written there."""
        record = self.get(path)
        return record is not None and path.exists() and record.target_stamp == target_stamp(path)

    def add(self, record: Record) -> None:
        """Append a record.

        Raises:
            OSError: the folder is read-only or the disk is full.
        """
        line = json.dumps(asdict(record), separators=(",", ":")).encode() + b"\n"
        with self._lock:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            handle = os.open(self._path, flags, 0o666)
            try:
                whole = b"\n" + line if self._torn else line
                self._torn = os.write(handle, whole) < len(whole)
            finally:
                os.close(handle)
            if self._torn:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._records[record.target] = record


class Manifests:
    """The manifests of every folder that a run touches, each read once, when first needed."""

    def __init__(self) -> None:
        self._open: dict[Path, Manifest] = {}
        self._lock = threading.Lock()

    def of(self, folder: Path) -> Manifest:
        """The manifest of a folder, which need not exist yet."""
        with self._lock:
            if folder not in self._open:
                self._open[folder] = Manifest(folder)
            return self._open[folder]


def _read(path: Path) -> tuple[dict[str, Record], bool]:
    """All readable records, and whether the last line is torn off."""
    try:
        text = path.read_bytes()
    except OSError:
        return {}, False
    found = (_parse(line) for line in text.splitlines())
    records = {record.target: record for record in found if record is not None}
    return records, bool(text) and not text.endswith(b"\n")


def _parse(line: bytes) -> Record | None:
    try:
        raw = json.loads(line)
        return Record(
            target=str(raw["target"]),
            source=str(raw["source"]),
            source_sha256=str(raw["source_sha256"]),
            source_stamp=tuple(raw["source_stamp"]),
            target_stamp=tuple(raw["target_stamp"]),
            recipe=Recipe(**raw["recipe"]),
            confidence_stamp=tuple(raw.get("confidence_stamp", ())),
        )
    except (ValueError, TypeError, KeyError):
        return None
