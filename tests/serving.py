"""A real server on a loopback port for tests: raw bytes in, raw bytes out."""

from __future__ import annotations

import http.client
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tintype.server.problems import MEDIA_TYPE
from tintype.server.run import server
from tintype.server.settings import Settings
from tintype.server.state import State

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The sentence of a problem."""
        assert self.headers["content-type"] == MEDIA_TYPE, self.headers
        assert self.json["status"] == self.status
        return str(self.json["detail"])


@dataclass(frozen=True)
class Served:
    """A running server."""

    server: uvicorn.Server
    port: int
    state: State
    data: Path

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self.server.server_state.connections)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.headers.items()}, got.read())
        finally:
            connection.close()

    def send_form(self, path: str, *parts: Part, **headers: str) -> Answer:
        """Post a form."""
        body, kind = form(*parts)
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})

    @contextmanager
    def connected(self, seconds: float = 5.0) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.create_connection((HOST, self.port), timeout=seconds) as connection:
            yield connection

    def say(self, data: bytes, seconds: float = 5.0) -> bytes:
        """All that is answered to some bytes until the server hangs up or time is over."""
        with self.connected(seconds) as connection:
            connection.sendall(data)
            return heard(connection)

    @property
    def is_well(self) -> bool:
        """Whether it still answers."""
        return self.ask("GET", "/healthz").body == b"ok"

    def until_ended(self, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
        """A job when it has ended."""
        deadline = time.monotonic() + seconds
        while True:
            job: dict[str, Any] = self.ask("GET", f"/v1/jobs/{job_id}").json
            if job["state"] in ("done", "failed", "cancelled"):
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.1)


@dataclass(frozen=True)
class Part:
    """A part of a form: a field, or a file when it has a file name."""

    name: str
    content: bytes
    filename: str | bytes | None = None


def form(*parts: Part) -> tuple[bytes, str]:
    """The body of a form and its content type; names go out as they are, however odd."""
    mark = secrets.token_hex(16)
    body = b""
    for part in parts:
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{part.name}"'.encode()
        if part.filename is not None:
            name = part.filename
            head += b'; filename="' + (name if isinstance(name, bytes) else name.encode()) + b'"'
        body += head + b"\r\n\r\n" + part.content + b"\r\n"
    return body + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def heard(connection: socket.socket) -> bytes:
    """What comes until the other side hangs up or says nothing for too long."""
    pieces = []
    try:
        while piece := connection.recv(1 << 16):
            pieces.append(piece)
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    return b"".join(pieces)


@contextmanager
def serving(data: Path, model: Path | str, **changes: Any) -> Iterator[Served]:
    """A server in a thread, whose network is loaded."""
    settings = Settings(data=data, model=str(model), device="cpu", port=0, **changes)
    made = server(settings)
    made.config.timeout_graceful_shutdown = 1
    state: State = made.config.app._app.state.tintype  # type: ignore[union-attr]
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # misuse is what is tested
    thread = threading.Thread(target=made.run, name="server")
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not (made.started and state.ready) and time.monotonic() < deadline:
            assert thread.is_alive()
            time.sleep(0.01)
        port = made.servers[0].sockets[0].getsockname()[1]
        yield Served(made, port, state, data)
    finally:
        made.should_exit = True
        thread.join()
