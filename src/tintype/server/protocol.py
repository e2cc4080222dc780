"""Connections with absolute deadlines, which uvicorn has none of.

Whoever sends the head of a request byte by byte, or hardly reads an answer, is cut off; and there
is an end to how many connections may be open. The deadline of a body is ``guard``'s.
"""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tintype.server.guard import HEADERS, refuse
from tintype.server.problems import MEDIA_TYPE, Problem
from tintype.server.settings import Limits

CROWD = 2
"""So many times the connections that are served may be open; the rest are cut off."""

_DEAF_S = 2.0  # that a client has to read why the rest of its body is not wanted
_UNSENT_BYTES = 64 << 10
_LEAST_READ_BYTES = 16 << 10  # in the time of ``unread_s``, by a client that reads at all


def protocol_with(limits: Limits) -> type[H11Protocol]:
    """The protocol of a server with these limits."""

    class Protocol(_Deadlines):
        """HTTP/1.1 with the deadlines of one server."""

        allowed = limits

    return Protocol


def websockets_with(limits: Limits) -> type[WebSocketsSansIOProtocol]:
    """The protocol of the live views of a server with these limits."""

    class Protocol(_Patience, WebSocketsSansIOProtocol):
        """WebSockets with the deadline of one server."""

        allowed = limits

    return Protocol


if TYPE_CHECKING:
    _Writing = asyncio.Protocol
else:
    _Writing = object  # asyncio's own methods would hide those of uvicorn's protocols


class _Patience(_Writing):
    """Loses a client that leaves unread what was written to it.

    asyncio waits for ever until a closing connection has taken its last byte, so the deadline
    holds for any byte that waits, not only for long answers.
    """

    allowed: Limits
    transport: asyncio.Transport
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not 0, at which TLS would never be written to again.
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=1, low=0)
        _keep_little(transport.get_extra_info("socket"))
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        _stop(self._unread)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        _stop(self._unread)
        self._look_again()

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self._unread)

    def _look_again(self) -> None:
        loop, waiting = asyncio.get_running_loop(), self.transport.get_write_buffer_size()
        self._unread = loop.call_later(self.allowed.unread_s, self._lose_or_wait, waiting)

    def _lose_or_wait(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() < _LEAST_READ_BYTES:
            self.transport.abort()
        else:
            self._look_again()


class _Deadlines(_Patience, H11Protocol):
    _head: asyncio.TimerHandle | None = None
    _deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self.connections) > CROWD * self.allowed.connections:
            self.transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        _stop(self._head)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Hear what came, or say that there are too many: in our words, with our headers."""
        most, self.limit_concurrency = self.allowed.connections, None
        crowded = len(self.connections) >= most or len(self.tasks) >= most
        self.app = _crowded if crowded else self.config.loaded_app
        super().handle_events()
        if self.cycle is not None:
            self.cycle.transport = cast(asyncio.Transport, _Parting(self))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            _stop(self._head)
            self._head = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # nobody wants the rest of it
            self.part()

    def part(self) -> None:
        """Hang up, so that the answer arrives.

        A connection that is closed while its other side still sends is reset, and what was
        answered is lost on the way. So what still comes is thrown away for a while.
        """
        if self.conn.their_state is not h11.SEND_BODY or not self.transport.can_write_eof():
            self.transport.close()
        elif not self._deaf and not self.transport.is_closing():
            self._deaf = True
            self._unset_keepalive_if_required()
            self.transport.write_eof()
            self.flow.resume_reading()
            self._head = self.loop.call_later(_DEAF_S, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, unless another answer is under way."""
        self._end_with(Problem(400, msg))

    def _await_head(self) -> None:
        """From the first byte of a request on, its head has so long; more bytes change nothing."""
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self.allowed.header_s, self._cut_off)

    def _cut_off(self) -> None:
        sentence = f"The head of the request did not come within {self.allowed.header_s:g} seconds."
        self._end_with(Problem(408, sentence))

    def _end_with(self, problem: Problem) -> None:
        """Answer where an answer can be, without the application, and hang up."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_plain_answer(problem))
        self.transport.close()


class _Parting:
    """A connection, as whoever writes an answer sees it."""

    def __init__(self, protocol: _Deadlines) -> None:
        self._protocol = protocol
        self.write = protocol.transport.write

    def is_closing(self) -> bool:
        return self._protocol._deaf or self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.part()


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = "Too many connections are open; try again in a moment."
    problem = Problem(503, sentence, "busy", {"Retry-After": "5", "Connection": "close"})
    await refuse(problem, scope, receive, send)


def _plain_answer(problem: Problem) -> bytes:
    """An answer's bytes."""
    body = bytes(problem.response().body)
    headers: dict[str, Any] = HEADERS | {
        "content-type": MEDIA_TYPE,
        "content-length": len(body),
        "cache-control": "no-store",
        "connection": "close",
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    status = problem.status_code
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n" + "\r\n".join(lines)
    return head.encode() + b"\r\n\r\n" + body


def _keep_little(connection: socket.socket) -> None:
    """Let the system hold little that nobody has read, so that reading shows here soon."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # not on Windows
    if option is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, option, _UNSENT_BYTES)


def _stop(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
