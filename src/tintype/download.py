"""How a file of weights comes from elsewhere: safely, resumed where it stopped, and checked."""

from __future__ import annotations

import hashlib
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

_TIMEOUT_S = 30
_PIECE_BYTES = 1 << 20
_MOST_BYTES = 1 << 30  # no network of this field comes near it
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

Told = Callable[[int, int], None]
"""Told (bytes done, bytes in all or 0 if nobody knows) while weights come in."""


@dataclass(frozen=True)
class Remote:
    """A file elsewhere, and how to know that it is the right one.

    Attributes:
        model: whose weights it holds, for messages.
        url: https, file, or http on this machine.
        sha256: of the file, 64 hexadecimal digits, or as many of the first as are known.
        known_by: who says so, for messages: "the record".
        size_bytes: of the file; None believes the server.
    """

    model: str
    url: str
    sha256: str
    known_by: str
    size_bytes: int | None = None

    def is_right(self, sha256: str) -> bool:
        """Whether a file with that sha256 is the one."""
        return sha256.startswith(self.sha256)


def download(remote: Remote, part: Path, told: Told | None = None) -> str:
    """Bring a file to ``part`` and check it.

    What an interrupted download left at ``part`` is continued if the server allows it, and taken
    as it is if it is whole.

    Args:
        remote: what to bring.
        part: where it goes; its folder is made.
        told: called with (bytes done, bytes in all) while downloading.

    Returns:
        The sha256 of the file, 64 hexadecimal digits.

    Raises:
        ModelNotFound: the file cannot be had now; ``part`` keeps what has come.
        ChecksumMismatch: it is another file, and was deleted.
        UsageError: the address is not a safe one.
    """
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        found = _bring(remote, part, told or (lambda done, total: None))
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise ModelNotFound(
            f'The model "{remote.model}" cannot be fetched from {remote.url}: {reason}; '
            "try again later."
        ) from error
    if not remote.is_right(found):
        part.unlink()
        raise ChecksumMismatch(
            f"What {remote.url} gave has the sha256 {found}, but {remote.known_by} says "
            f"{remote.sha256}; it was deleted."
        )
    return found


def sha256_of(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bring(remote: Remote, part: Path, told: Told) -> str:
    if part.exists() and part.stat().st_size:
        if remote.is_right(found := sha256_of(part)):
            return found
        _pull(remote, part, told, resume=True)
        if remote.is_right(found := sha256_of(part)):
            return found
    _pull(remote, part, told, resume=False)  # the first time, or the old part was of another file
    return sha256_of(part)


def _pull(remote: Remote, part: Path, told: Told, *, resume: bool) -> None:
    start = part.stat().st_size if resume else 0
    answer = _open(remote.url, start)
    done = start if _continues(answer, start) else 0
    total = remote.size_bytes or _announced(answer, done)
    with answer, part.open("r+b" if done else "wb") as file:
        file.seek(done)
        file.truncate()
        # A server that sends more than it should must not fill the disk.
        most = min(total or _MOST_BYTES, _MOST_BYTES)
        while done <= most and (piece := answer.read(_PIECE_BYTES)):
            file.write(piece)
            done += len(piece)
            told(done, total)
    if done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def _continues(answer: addinfourl, start: int) -> bool:
    """Whether the server sends the rest from ``start`` on, as it was asked to."""
    return start > 0 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _announced(answer: addinfourl, done: int) -> int:
    """The size of the whole file, of which ``done`` bytes are not sent again; 0 if not said."""
    length = answer.headers.get("Content-Length", "")
    return done + int(length) if length.isascii() and length.isdecimal() else 0


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
