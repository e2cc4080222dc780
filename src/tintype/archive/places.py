"""Where scans come from and where results go: a folder or a bucket, asked the same questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from tintype.archive.keys import has_scheme, scheme_of
from tintype.errors import UsageError

SCHEMES = ("file", "s3", "gs", "az", "abfs", "abfss")
"""What an address may begin with, before ``://``."""


UNREADABLE = -1
"""The size of a folder that could not be listed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a place.

    Attributes:
        key: its path below the place, with forward slashes.
        size: in bytes; ``UNREADABLE`` for a folder whose files cannot be told.
        version: changes when the file does: its size and the time it was written, in nanoseconds
            in a folder and in whole seconds in a bucket.
    """

    key: str
    size: int
    version: str


class Place(Protocol):
    """A folder or a bucket. Keys are relative to it. It can be sent to another process.

    Every method asks again while storage fails and raises ``OSError`` when it gives up.
    """

    address: str
    """As it was given."""

    @property
    def local(self) -> Path | None:
        """The folder; None for a bucket."""

    def find(self, key: str) -> Found | None:
        """What is known of a file without reading it; None when there is none."""

    def read(self, key: str) -> bytes:
        """A whole file, its length checked against what the place says of it."""

    def fetch(self, key: str, target: Path) -> None:
        """Copy a file to this machine, in pieces; its length is checked."""

    def write(self, key: str, data: bytes) -> None:
        """Write a file whole or not at all; what was there is replaced in one step."""

    def deliver(self, key: str, path: Path) -> None:
        """Write a file from this machine's disk; as :meth:`write`."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a file that must not be there yet; False when it was."""

    def remove(self, key: str) -> None:
        """Remove a file; one that is not there is as good as removed."""

    def names(self, folder: str) -> list[str]:
        """The keys of the files directly in a folder, sorted."""

    def walk(
        self, avoid: str | None, skipped: tuple[str, ...] = (), *, hidden: bool = False
    ) -> Iterator[Found]:
        """Every file below, folder by folder.

        Args:
            avoid: the address of a place that is passed over with all below it.
            skipped: folders directly below this place that are passed over.
            hidden: whether names that begin with a dot count.
        """


def place_of(address: str) -> Place:
    """The place that a path or an address names.

    Raises:
        UsageError: a scheme that is not known, or an address that makes no sense.
    """
    from tintype.archive.buckets import Bucket
    from tintype.archive.folders import Folder

    if not address:
        raise UsageError("A place is named by a path or an address; it is empty.")
    if not has_scheme(address):
        return Folder(address)
    scheme = scheme_of(address)
    if scheme == "file":
        return Folder(unquote(urlsplit(address).path))
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UsageError(f"{address} has an unknown beginning; known are {known} and paths.")
    return Bucket(address)
