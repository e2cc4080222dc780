"""Which models there are and where their weights lie: records, the cache, fetching, checking."""

from __future__ import annotations

import difflib
import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, cast
from urllib.response import addinfourl

from tintype.errors import ChecksumMismatch, ModelNotFound, UsageError

_BUNDLED = Path(__file__).parent / "weights"
_TIMEOUT_S = 30
_PIECE_BYTES = 1 << 20
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Told = Callable[[int, int], None]
"""Told (bytes done, bytes in all) while weights come in."""


@dataclass(frozen=True)
class Weights:
    """One model: what it is, whose it is, and which file holds it."""

    name: str
    """What the user calls it."""
    version: str
    """Counts up with every training whose results differ."""
    sha256: str
    """Of the .onnx file, 64 hexadecimal digits."""
    size_bytes: int
    """Of the .onnx file."""
    licence: str
    """Of the weights: SPDX identifier, and what limits it."""
    summary: str
    """One line: what it is good at."""
    paper: str
    """Where the method was published, or "" for our own."""
    file: str | None = None
    """Name of the file that the package ships, if it does."""
    url: str | None = None
    """Where the file is fetched from otherwise, https."""
    seen: tuple[str, ...] = ()
    """Families of pictures that its training or its encoder saw: a set of them is marked."""

    @property
    def path(self) -> Path:
        """Where the file lies once it is there."""
        if self.file is not None:
            return _BUNDLED / self.file
        return cache_directory() / f"{self.name}-{self.version}.onnx"

    @property
    def is_here(self) -> bool:
        """Whether the file is there, so that no network is needed."""
        return self.path.is_file()


_RECORDS: tuple[Weights, ...] = (
    Weights(
        name="tintype",
        version="2",
        sha256="8d79f833488b63e7962c8072b52c43717d535a6af2c548b3fb97086ec61ce614",
        size_bytes=20_308_016,
        licence="Apache-2.0, trained on research data: see LICENSE-WEIGHTS.md",
        summary="The default: everyday photographs, people and scenery; small and fast.",
        paper="",
        seen=("ImageNet", "COCO", "VOC", "SUN", "Places", "LFW", "Helen", "UTKFace"),
        file="tintype-2.onnx",
    ),
)


def cache_directory() -> Path:
    """Where fetched weights lie: $TINTYPE_HOME, else $XDG_CACHE_HOME/tintype, else ~/.cache."""
    if home := os.environ.get("TINTYPE_HOME"):
        return Path(home).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser() / "tintype"
    return Path("~/.cache/tintype").expanduser()


def list_models() -> tuple[Weights, ...]:
    """Every model that Tintype knows by name, the default first."""
    return _RECORDS


def find(name: str) -> Weights:
    """The record of a model.

    Raises:
        ModelNotFound: no model has that name; the message lists the closest or all.
    """
    known = {record.name: record for record in list_models()}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known) or list(known)
    raise ModelNotFound(f'There is no model "{name}"; did you mean {" or ".join(close)}?')


def fetch(name: str, offline: bool = False, told: Told | None = None) -> Path:
    """The file of a model's weights, downloaded if need be and always checked.

    An interrupted download is taken up where it stopped if the server allows it.

    Args:
        name: a model's name.
        offline: never use the network.
        told: called with (bytes done, bytes in all) while downloading.

    Returns:
        The path of the .onnx file, whose sha256 is the recorded one.

    Raises:
        ModelNotFound: no such model, or its file is neither here nor to be had.
        ChecksumMismatch: the file is not the recorded one; a download is deleted.
    """
    record = find(name)
    if record.is_here:
        return verify(name)
    if record.url is None:
        raise ModelNotFound(
            f'The file of the model "{name}" is missing ({record.path}): install Tintype again.'
        )
    if offline:
        raise ModelNotFound(
            f'The model "{name}" is not in {cache_directory()} and cannot be fetched offline: '
            f"run tintype models fetch {name} while online."
        )
    try:
        record.path.parent.mkdir(parents=True, exist_ok=True)
        return _download(record, record.url, told or (lambda done, total: None))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelNotFound(
            f'The model "{name}" cannot be fetched from {record.url}: {reason}; try again later.'
        ) from error


def graph_file(name_or_path: str | Path) -> Path:
    """The graph's file: a known name's weights, fetched if need be, or the path itself.

    Raises:
        ModelNotFound: no such name and no such file.
        ChecksumMismatch: the weights are not the recorded ones.
    """
    known = {record.name for record in list_models()}
    if isinstance(name_or_path, str) and name_or_path in known:
        return fetch(name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix == ".onnx":
        raise ModelNotFound(f"There is no file {path}.")
    return fetch(str(name_or_path))  # says which names there are


def graph_sha256(name_or_path: str) -> str:
    """The checksum of a known name's weights, as recorded, or of a graph's file."""
    known = {record.name: record.sha256 for record in list_models()}
    return known.get(name_or_path) or sha256_of(Path(name_or_path))


def verify(name: str) -> Path:
    """Check the file of a model against its record.

    Returns:
        Its path.

    Raises:
        ModelNotFound: no such model, or it has not been fetched.
        ChecksumMismatch: the file is not the recorded one.
    """
    record = find(name)
    if not record.is_here:
        raise ModelNotFound(
            f'The model "{name}" is not at {record.path}: run tintype models fetch {name}.'
        )
    found = sha256_of(record.path)
    if found != record.sha256:
        again = "install Tintype again" if record.file else f"run tintype models fetch {name}"
        raise ChecksumMismatch(
            f"{record.path} has the sha256 {found}, not {record.sha256}: delete it and {again}."
        )
    return record.path


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(record: Weights, url: str, told: Told) -> Path:
    """Download to a partial file, check it, and only then give it its name."""
    partial = record.path.with_name(f"{record.sha256}.part")
    resumed = partial.exists() and 0 < partial.stat().st_size < record.size_bytes
    _pull(record, url, partial, told, resume=resumed)
    if resumed and sha256_of(partial) != record.sha256:
        _pull(record, url, partial, told, resume=False)  # the old part was of another file
    found = sha256_of(partial)
    if found != record.sha256:
        partial.unlink()
        raise ChecksumMismatch(
            f"What {url} gave has the sha256 {found}, not {record.sha256}; it was deleted."
        )
    partial.replace(record.path)
    return record.path


def _pull(record: Weights, url: str, partial: Path, told: Told, *, resume: bool) -> None:
    start = partial.stat().st_size if resume else 0
    answer = _open(url, start)
    done = start if _continues(answer, start) else 0
    with answer, partial.open("r+b" if done else "wb") as file:
        file.seek(done)
        file.truncate()
        # A server that sends more than the record says must not fill the disk.
        while done <= record.size_bytes and (piece := answer.read(_PIECE_BYTES)):
            file.write(piece)
            done += len(piece)
            told(done, record.size_bytes)
    if done < record.size_bytes:
        raise OSError(f"the connection ended after {done} of {record.size_bytes} bytes")


def _continues(answer: addinfourl, start: int) -> bool:
    """Whether the server sends the rest from ``start`` on, as it was asked to."""
    return start > 0 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _open(url: str, start: int) -> addinfourl:
    """Ask for a file from byte ``start`` on; the server may answer with all of it."""
    _require_safe(url)
    headers = {"User-Agent": "tintype"}
    if start:
        headers["Range"] = f"bytes={start}-"
    opener = urllib.request.build_opener(_SafeRedirects)
    request = urllib.request.Request(url, headers=headers)
    try:
        return cast(addinfourl, opener.open(request, timeout=_TIMEOUT_S))
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(url, 0)
        raise


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections only to addresses that are as safe as a record's own."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts.scheme not in ("https", "file") and not local:
        raise UsageError(f"Weights are fetched over https only, not from {url}")
