"""A folder of this machine, or of a file server that is mounted on every machine of a cluster."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from tintype.archive.keys import OWN
from tintype.archive.patience import patiently
from tintype.archive.places import UNREADABLE, Found

PARTS = f"{OWN}/parts"
"""Where files lie until they are whole; below DEST, so that taking their place is one step."""

_COPY_BYTES = 1 << 20
_Identity = tuple[int, int]


class Folder:
    """A place on a file system; see :class:`tintype.archive.places.Place`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._base = Path(address).absolute()

    @property
    def local(self) -> Path | None:
        """The folder."""
        return self._base

    def find(self, key: str) -> Found | None:
        """Size and time of a regular file; pipes and devices are none, one might wait for ever."""
        try:
            found = patiently(lambda: os.stat(self._base / key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _found(key, found) if stat.S_ISREG(found.st_mode) else None

    def read(self, key: str) -> bytes:
        """A whole file."""

        def once() -> bytes:
            with (self._base / key).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = file.read()
            if len(data) < size:
                raise OSError(f"only {len(data)} of {size} bytes came")
            return data

        return patiently(once)

    def fetch(self, key: str, target: Path) -> None:
        """Copy a file."""
        patiently(lambda: shutil.copyfile(self._base / key, target))

    def write(self, key: str, data: bytes) -> None:
        """Write a file beside the results, and move it to its name."""
        patiently(lambda: self._place(key, lambda part: part.write_bytes(data)))

    def deliver(self, key: str, path: Path) -> None:
        """Copy a file beside the results, and move it to its name."""
        patiently(lambda: self._place(key, lambda part: shutil.copyfile(path, part)))

    def create(self, key: str, data: bytes) -> bool:
        """Write a file whose name must be free: a hard link is refused where one exists."""
        part = self._part()
        part.write_bytes(data)
        target = self._base / key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(part, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            return _created(target, data)
        finally:
            part.unlink(missing_ok=True)
        return True

    def remove(self, key: str) -> None:
        """Remove a file."""
        patiently(lambda: (self._base / key).unlink(missing_ok=True))

    def names(self, folder: str) -> list[str]:
        """The files directly in a folder."""
        try:
            with os.scandir(self._base / folder) as entries:
                found = [entry.name for entry in entries if entry.is_file()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [f"{folder}/{name}" if folder else name for name in sorted(found)]

    def walk(
        self, avoid: str | None, skipped: tuple[str, ...] = (), *, hidden: bool = False
    ) -> Iterator[Found]:
        """Every file below; linked folders are entered once."""
        from tintype.archive.places import place_of

        away = place_of(avoid).local if avoid else None
        seen = {_identity(self._base)} | ({_identity(away)} if away is not None else set())
        waiting = [""]
        while waiting:
            below: list[str] = []
            here = waiting.pop()
            try:
                entries = patiently(partial(self._entries, here))
            except OSError:
                if not here:
                    raise
                yield Found(here, UNREADABLE, "")
                continue
            for entry in entries:
                key, top = f"{here}/{entry.name}" if here else entry.name, not here
                if (entry.name.startswith(".") and not hidden) or (top and key in skipped):
                    continue
                try:
                    is_file, is_folder = entry.is_file(), entry.is_dir()
                except OSError:  # a link in a circle, or to where one may not look
                    yield Found(key, UNREADABLE, "")
                    continue
                if is_file:
                    with suppress(FileNotFoundError):  # it has gone meanwhile
                        yield _found(key, entry.stat())
                elif is_folder and (who := _identity(Path(entry.path))) not in seen:
                    seen.add(who)
                    below.append(key)
            waiting.extend(reversed(below))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        with os.scandir(self._base / folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)

    def _part(self) -> Path:
        folder = self._base / PARTS
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{secrets.token_hex(12)}.part"

    def _place(self, key: str, fill: Callable[[Path], object]) -> None:
        part, target = self._part(), self._base / key
        try:
            fill(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            if key.startswith(f"{OWN}/"):  # a result that a power cut emptied is seen by its size
                with part.open("rb") as file:
                    os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)


def _created(target: Path, data: bytes) -> bool:
    try:
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


def _found(key: str, told: os.stat_result) -> Found:
    return Found(key, told.st_size, f"{told.st_size}-{told.st_mtime_ns}")


def _identity(path: Path) -> _Identity | None:
    """A folder through all its links; None when there is none."""
    try:
        told = path.stat()
    except OSError:
        return None
    return (told.st_dev, told.st_ino)
