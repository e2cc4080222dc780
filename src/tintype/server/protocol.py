"""Connections with absolute deadlines, which uvicorn has none of.

Whoever sends the head of a request byte by byte, or reads an answer not at all, is cut off; and
there is an end to how many connections may be open. The deadline of a body is ``guard``'s.
"""

from __future__ import annotations

import asyncio
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tintype.server.settings import Limits

LONGEST_HEAD_BYTES = 16 << 10
"""Of a request: its first line and its headers."""

_CROWD = 2  # so many times the connections that are served may be open; the rest are cut off


def protocol_with(limits: Limits) -> type[H11Protocol]:
    """The protocol of a server with these limits."""

    class Protocol(_Deadlines):
        """HTTP/1.1 with the deadlines of one server."""

        allowed = limits

    return Protocol


class _Deadlines(H11Protocol):
    allowed: Limits
    _head: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        if len(self.connections) > _CROWD * self.allowed.connections:
            self.transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        _stop(self._head, self._unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._await_head()
        else:
            _stop(self._head)
            self._head = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # nobody wants the rest of it
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        _stop(self._unread)
        self._unread = self.loop.call_later(self.allowed.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self._unread)

    def _await_head(self) -> None:
        """From the first byte of a request on, its head has so long; more bytes change nothing."""
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self.allowed.header_s, self._cut_off)

    def _cut_off(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )
        self.transport.close()


def _stop(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
