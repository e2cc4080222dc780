"""A bucket of object storage, through pyarrow's own S3, Google and Azure file systems.

A PUT is atomic there: an object is the old one or the new one. S3 is reached at its usual address,
or where ``?endpoint_override=HOST:PORT&scheme=http`` says; a face puts it there from
``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qsl

from pyarrow import NativeFile
from pyarrow import fs as storage

from tintype.archive.keys import scheme_of
from tintype.archive.patience import patiently
from tintype.archive.places import UNREADABLE, Found
from tintype.errors import UsageError

_PIECE_BYTES = 8 << 20
_SETTLE_S = 2.0
_S3_OPTIONS = frozenset(("endpoint_override", "scheme", "region"))


class Bucket:
    """A place in object storage; see :class:`tintype.archive.places.Place`."""

    def __init__(self, address: str) -> None:
        self.address = address
        name, _, self._query = address.partition("?")
        scheme, _, rest = name.partition("://")
        bucket, _, prefix = rest.partition("/")
        if not bucket:
            raise UsageError(f"{address} names no bucket; it should be {scheme}://BUCKET/FOLDER.")
        if scheme == "s3" and "@" in bucket:
            raise UsageError(
                "An S3 address holds no keys, as it stands in records and reports; put them into "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        self._root = f"{scheme}://{bucket}"
        self._prefix = prefix.strip("/")

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_opened"}

    @property
    def local(self) -> Path | None:
        """None: it is not on this machine."""
        return None

    @property
    def path(self) -> str:
        """Bucket and key, as the file system says it."""
        return self._at("")

    def find(self, key: str) -> Found | None:
        """Size and time of an object."""
        info = patiently(lambda: self._fs.get_file_info(self._at(key)))
        return _found(key, info) if info.type == storage.FileType.File else None

    def read(self, key: str) -> bytes:
        """A whole object."""

        def once() -> bytes:
            with self._open(key) as stream:
                data: bytes = stream.read()
                _check_length(len(data), stream)
            return data

        return patiently(once)

    def fetch(self, key: str, target: Path) -> None:
        """Copy an object to this machine, in pieces."""

        def once() -> None:
            with self._open(key) as stream, target.open("wb") as file:
                while piece := stream.read(_PIECE_BYTES):
                    file.write(piece)
                _check_length(file.tell(), stream)

        patiently(once)

    def write(self, key: str, data: bytes) -> None:
        """PUT an object, and ask for its size."""

        def once() -> None:
            stream = self._fs.open_output_stream(self._at(key))
            stream.write(data)
            stream.close()
            self._check_arrived(key, len(data))

        patiently(once)

    def deliver(self, key: str, path: Path) -> None:
        """Upload a file in pieces; the object appears when the last one is there."""

        def once() -> None:
            # Not in a with statement: leaving it after an error would complete the upload.
            stream = self._fs.open_output_stream(self._at(key))
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    stream.write(piece)
            stream.close()
            self._check_arrived(key, path.stat().st_size)

        patiently(once)

    def create(self, key: str, data: bytes) -> bool:
        """Write, wait, and read back: of two that write at once the last one stays."""
        if self.find(key) is not None:
            return False
        self.write(key, data)
        time.sleep(_SETTLE_S)
        return self.read(key) == data

    def remove(self, key: str) -> None:
        """Delete an object."""

        def once() -> None:
            if self._fs.get_file_info(self._at(key)).type != storage.FileType.NotFound:
                self._fs.delete_file(self._at(key))

        patiently(once)

    def names(self, folder: str) -> list[str]:
        """The objects directly below a key."""
        infos = self._infos(self._at(folder))
        keys = [self._key(info) for info in infos if info.type == storage.FileType.File]
        return sorted(keys)

    def walk(
        self, avoid: str | None, skipped: tuple[str, ...] = (), *, hidden: bool = False
    ) -> Iterator[Found]:
        """Every object below, level by level.

        Storage lists a level whole, so one with more than some million objects takes memory.
        """
        mine = scheme_of(self.address)
        away = Bucket(avoid).path if avoid and scheme_of(avoid) == mine else None
        waiting, seen = [self.path], {self.path}
        while waiting:
            below: list[str] = []
            for info in self._infos(waiting.pop()):
                key = self._key(info)
                if info.type == storage.FileType.Directory and info.path in seen:
                    # Of a key with two slashes in a row, which pyarrow cannot ask for.
                    yield Found(f"{key}//".lstrip("/"), UNREADABLE, "")
                    continue
                if (info.base_name.startswith(".") and not hidden) or key in skipped:
                    continue
                if info.type == storage.FileType.File:
                    yield _found(key, info)
                elif info.path != away:
                    seen.add(info.path)
                    below.append(info.path)
            waiting.extend(reversed(below))

    @cached_property
    def _opened(self) -> tuple[storage.FileSystem, str]:
        """The file system, and what the bucket is called there."""
        root = self._root.replace("az://", "abfss://", 1)
        query = f"?{self._query}" if self._query else ""
        try:
            # Which region a bucket is in is asked of the storage.
            opened, base = patiently(lambda: storage.FileSystem.from_uri(f"{root}{query}"))
        except ValueError as error:
            raise UsageError(f"{self.address} cannot be used: {error}.") from error
        return (self._s3(opened.region) if scheme_of(self.address) == "s3" else opened), base

    def _s3(self, region: str) -> storage.S3FileSystem:
        """S3 as ``from_uri`` has it, but that leaves asking again to us, and PUTs at once."""
        given = dict(parse_qsl(self._query))
        if unknown := given.keys() - _S3_OPTIONS:
            raise UsageError(
                f"{self.address} asks for {', '.join(sorted(unknown))}; an S3 address takes "
                f"{', '.join(sorted(_S3_OPTIONS))}."
            )
        return storage.S3FileSystem(
            **{"region": region, **given},
            retry_strategy=storage.AwsStandardS3RetryStrategy(max_attempts=1),
            allow_delayed_open=True,  # a small object is one request, not three
        )

    @property
    def _fs(self) -> storage.FileSystem:
        return self._opened[0]

    def _at(self, key: str) -> str:
        return "/".join(part for part in (self._opened[1], self._prefix, key) if part)

    def _key(self, info: storage.FileInfo) -> str:
        return str(info.path).removeprefix(self.path).lstrip("/")

    def _infos(self, path: str) -> list[storage.FileInfo]:
        selector = storage.FileSelector(path, recursive=False, allow_not_found=True)
        infos = patiently(lambda: self._fs.get_file_info(selector))
        return sorted(infos, key=lambda info: info.path)

    def _open(self, key: str) -> NativeFile:
        return self._fs.open_input_file(self._at(key))

    def _check_arrived(self, key: str, size: int) -> None:
        found = self._fs.get_file_info(self._at(key))
        if found.size != size:
            raise OSError(f"{found.size} of {size} bytes arrived")


def _found(key: str, info: storage.FileInfo) -> Found:
    # A listing tells fractions of a second where a single question does not.
    written = (info.mtime_ns or 0) // 1_000_000_000
    return Found(key, info.size, f"{info.size}-{written}")


def _check_length(came: int, stream: NativeFile) -> None:
    size = stream.size()
    if came < size:
        raise OSError(f"only {came} of {size} bytes came")
