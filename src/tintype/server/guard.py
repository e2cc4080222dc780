"""What every request passes before it is heard: who asks, how often, from where, and how much.

Plain ASGI around the application, so that nothing of a body is read before it is known that
somebody may send it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tintype.server.problems import Problem
from tintype.server.settings import Limits, Settings

HEALTH = frozenset(("/healthz", "/readyz"))
"""Paths that are open to everybody, by every name: whether the server is well."""

OPEN = frozenset((*HEALTH, "/", "/worker.js"))
"""Paths that need no key: those, and the page that asks for one."""

_OPEN_FOLDER = "/static/"

KEY_COOKIE = "tintype-key"
"""A page sends the key so, since links and pictures in it cannot carry headers."""

LONGEST_HEAD_BYTES = 16 << 10
"""Of a request: its first line and its headers."""

_SMALL_BODY = 64 << 10  # of requests that carry no picture
_VIEW_BODY = 4 << 20  # of those that carry a network's view of one
_PICTURE_PATHS = frozenset(("/v1/colorize", "/v1/preview", "/colorized"))
_SLOWEST = 16 << 10  # bytes per second of a job's body, after the time that a picture's is given
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_PRIVATE = (".local", ".localhost", ".internal", ".home.arpa")  # RFC 6762, 6761, 8375; ICANN 2024
_MOST_CLIENTS = 10_000  # whose rate is remembered

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-security policy of every answer, the pages of /docs included."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
"""Of every answer."""


class Guard:
    """The application, guarded.

    Args:
        app: what is guarded.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._keys = {_owner_of(key): key.encode() for key in settings.api_keys}
        self._rates = Rates(settings.rate)
        self._held = Held(settings.limits.held_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a problem."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._refuse_strangers(scope, headers)
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        body = Body(receive, scope, self._settings.limits, self._held)
        try:
            body.refuse_announced(headers)
            await self._app(scope, body.receive, _with_headers(send))
        except Problem as problem:
            await refuse(problem, scope, receive, send)
        finally:
            body.release()

    def _refuse_strangers(self, scope: Scope, headers: Headers) -> None:
        """Look at who asks.

        Raises:
            Problem: too long a head, a name that is not this server's, a page of another origin, a
                missing key, too many requests.
        """
        if _length(scope) > LONGEST_HEAD_BYTES:  # when it comes in one piece, uvicorn takes it
            raise Problem(431, "The head of the request is too long.", headers=_CLOSE)
        host = headers.get("host", "")
        if scope["path"] in HEALTH:
            return  # asked for by whoever looks after it, by any name
        if not self._answers_to(_name_of(host)):
            raise Problem(421, "This server does not answer to that name; see --allow-host.")
        self._refuse_origin(scope, headers, host)
        owner = self._owner(headers)
        is_open = (
            scope["path"] in OPEN
            or scope["path"].startswith(_OPEN_FOLDER)
            or self._asks_whether_it_may(scope, headers)
        )
        client = owner or (scope.get("client") or ("", 0))[0]
        wait_s = 0.0 if is_open else self._rates.wait_s(client)
        if wait_s:  # before the key is looked at: guessing is counted, too
            retry = {"Retry-After": str(int(wait_s) + 1)}
            raise Problem(429, "That was too often; wait a moment.", headers=retry)
        if self._keys and owner is None and not is_open:
            advice = {"WWW-Authenticate": 'Bearer realm="tintype"'}
            raise Problem(401, "An API key is needed: Authorization: Bearer KEY.", headers=advice)
        scope.setdefault("state", {})["owner"] = owner or ""

    def _answers_to(self, name: str) -> bool:
        """Whether the server may be called so.

        A web page whose name was made to mean this machine (DNS rebinding) would reach a server
        that asks for no key; such a name is one of the public DNS.
        """
        names = self._settings.names
        return name in names if names else bool(self._keys) or _is_private(name)

    def _refuse_origin(self, scope: Scope, headers: Headers, host: str) -> None:
        """A page of another site must not use whoever looks at it to reach this server."""
        origin = headers.get("origin")
        safe = scope["type"] == "http" and scope["method"] in _SAFE
        if safe or origin is None or origin in self._settings.origins:
            return
        if _place_of(origin) != host:
            raise Problem(403, "Pages of other origins may not do this; see --cors-origin.")

    def _asks_whether_it_may(self, scope: Scope, headers: Headers) -> bool:
        """Whether a browser asks for an allowed page, which it does without the page's key."""
        asks = "access-control-request-method" in headers and scope.get("method") == "OPTIONS"
        return asks and headers.get("origin") in self._settings.origins

    def _owner(self, headers: Headers) -> str | None:
        """Whose key was sent; None when it is nobody's."""
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        sent = [headers.get("x-api-key"), bearer.strip() if kind.lower() == "bearer" else None]
        for key in (*sent, _cookie(headers)):
            for owner, known in self._keys.items():
                if key and hmac.compare_digest(key.encode(), known):
                    return owner
        return None


class Rates:
    """How often clients ask: so many requests per minute, saved up to that many at once.

    Args:
        per_minute: 0 is no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Count a request; 0.0 when it may pass, else how long to wait."""
        if not self._per_minute:
            return 0.0
        now, speed = time.monotonic(), self._per_minute / 60
        left, then = self._clients.pop(client, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - then) * speed)
        passes = left >= 1
        self._clients[client] = (left - 1 if passes else left, now)
        while len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        return 0.0 if passes else (1 - left) / speed


class Held:
    """How many bytes of bodies are in memory, all requests together.

    Args:
        most: so many may be.
    """

    def __init__(self, most: int) -> None:
        self.most, self.now = most, 0


class Body:
    """The body of one request, counted and timed as it comes.

    Args:
        receive: where it comes from.
        scope: of the request.
        limits: of bytes and seconds.
        held: bytes in memory, all requests together.
    """

    def __init__(self, receive: Receive, scope: Scope, limits: Limits, held: Held) -> None:
        self._receive, self._held = receive, held
        self._counted = self._seen = 0
        self._most, self._seconds = _SMALL_BODY, limits.body_s
        self._holds = True
        if scope["method"] == "POST" and scope["path"] in _PICTURE_PATHS:
            self._most = limits.upload_bytes
        elif scope["method"] == "POST" and scope["path"] == "/v1/predict":
            self._most = _VIEW_BODY
        elif scope["method"] == "POST" and scope["path"] == "/v1/jobs":
            self._most, self._seconds = limits.job_bytes, limits.job_body_s
            self._holds = False  # goes to disk as it comes
        self._begun, self._patience = time.monotonic(), limits.body_s
        self._ended = False

    def refuse_announced(self, headers: Headers) -> None:
        """Do not wait for a body that says that it is too large.

        Raises:
            Problem: it says so.
        """
        said = headers.get("content-length", "0")
        if not said.isdecimal() or int(said) > self._most:
            raise self._too_large()

    def _too_large(self) -> Problem:
        return Problem(
            413, f"The body is larger than the {self._most} bytes taken here.", headers=_CLOSE
        )

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            Problem: it is too much, or comes too slowly.
        """
        if self._ended:
            return await self._receive()
        seconds = min(self._seconds, self._patience + self._seen / _SLOWEST)
        try:
            left = self._begun + seconds - time.monotonic()
            message = await asyncio.wait_for(self._receive(), max(left, 0.001))
        except TimeoutError as error:
            sentence = f"The body came too slowly: {self._seen} bytes in {seconds:.3g} seconds."
            raise Problem(408, sentence, headers=_CLOSE) from error
        self._count(len(message.get("body", b"")))
        self._ended = not message.get("more_body", False)
        return message

    def _count(self, size: int) -> None:
        self._seen += size
        if self._seen > self._most:
            raise self._too_large()
        if not self._holds:
            return
        self._counted += size
        self._held.now += size
        if self._held.now > self._held.most:
            retry = {**_CLOSE, "Retry-After": "5"}
            raise Problem(503, "Too many bytes are being worked on; try again.", headers=retry)

    def release(self) -> None:
        """The request is over."""
        self._held.now -= self._counted
        self._counted = 0


_CLOSE = {"Connection": "close"}


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending


async def refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with a problem, or close a WebSocket over it."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": problem.detail})
        return
    await problem.response()(scope, receive, _with_headers(send))


def _length(scope: Scope) -> int:
    """Of the head of a request, in bytes."""
    line = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return line + sum(len(name) + len(value) for name, value in scope["headers"])


def _owner_of(key: str) -> str:
    """What stands for a key in records, from which it cannot be told."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _place_of(origin: str) -> str | None:
    """The host and port of an origin."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name_of(host: str) -> str:
    """A Host header without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_private(name: str) -> bool:
    """Whether a name is an address, or one that the public DNS gives to nobody."""
    with suppress(ValueError):
        return bool(ip_address(name))
    return "." not in name or name.endswith(_PRIVATE)


def _cookie(headers: Headers) -> str | None:
    """The key in the cookies; other programs of this host put there what they like."""
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return next(
        (unquote(value.strip()) for name, _, value in pairs if name.strip() == KEY_COOKIE), None
    )
