"""Running a server, or a worker without one, until a signal comes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import tempfile
import threading
from contextlib import suppress
from functools import partial

import uvicorn

from tintype.errors import UsageError
from tintype.server.app import create_app, guarded
from tintype.server.guard import LONGEST_HEAD_BYTES
from tintype.server.jobs.records import Jobs
from tintype.server.jobs.worker import Worker
from tintype.server.protocol import CROWD, protocol_with, websockets_with
from tintype.server.settings import Limits, Settings
from tintype.server.tls import Certificate

_OTHER_FILES = 1024  # that may be open beside the connections
_FINISH_S = 20  # that requests in work are given when the server is stopped


def listen(settings: Settings) -> socket.socket:
    """The address that a server listens on, taken; with port 0 the system chooses one.

    Raises:
        UsageError: it cannot be had.
    """
    place = f"{settings.host}:{settings.port}"
    try:
        family, *_, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=settings.limits.connections)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise UsageError(f"{place} cannot be listened on: {reason}.") from error


def serve(
    settings: Settings,
    at: socket.socket,
    proxies: tuple[str, ...] = (),
    certificate: Certificate | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: how.
        at: where, as of :func:`listen`.
        proxies: addresses whose X-Forwarded-For is believed.
        certificate: of HTTPS; None: HTTP.

    Raises:
        TintypeError: as ``create_app``.
    """
    _allow_files(settings.limits.connections)
    # Uploads are spooled where they are to stay, not to memory or another disk.
    tempfile.tempdir = str(Jobs(settings.data).spool)
    server(settings, proxies, certificate).run(sockets=[at])


def _allow_files(connections: int) -> None:
    """Raise what the system lets this process open, as far as it may be raised.

    The usual 1024 would be used up by connections, and none left for pictures and jobs.
    """
    with suppress(ImportError, OSError, ValueError):  # not on Windows, or not allowed
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = CROWD * connections + _OTHER_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def server(
    settings: Settings, proxies: tuple[str, ...] = (), certificate: Certificate | None = None
) -> uvicorn.Server:
    """The server, not yet running."""
    limits = settings.limits
    config = uvicorn.Config(
        guarded(create_app(settings)),
        host=settings.host,
        port=settings.port,
        http=protocol_with(limits),
        ws=websockets_with(limits),
        ws_max_size=limits.frame_bytes,
        ws_max_queue=2,
        limit_concurrency=limits.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_FINISH_S,
        h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies) or None,
        server_header=False,
        lifespan="on",
        log_config=None,
        ssl_certfile=certificate.chain if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    return _Server(config, limits)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, limits: Limits) -> None:
        super().__init__(config)
        self._limits = limits

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Who begins TLS and says no more has as long as who begins a head, not asyncio's minute.
        if self.config.ssl:
            loop = asyncio.get_running_loop()
            loop.create_server = partial(  # type: ignore[method-assign]
                loop.create_server, ssl_handshake_timeout=self._limits.header_s
            )
        await super().startup(sockets)


def work(settings: Settings) -> None:
    """Do jobs until SIGINT or SIGTERM, without serving."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # Forgetting what is old is the server's: it knows how long jobs are kept.
    worker = Worker(settings, Jobs(settings.data, settings.limits.lease_s), forgets=False)
    worker.start()
    logging.getLogger("tintype.jobs").info("Waiting for jobs in %s.", settings.data)
    stop.wait()
    worker.stop()
