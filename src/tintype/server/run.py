"""Running a server, or a worker without one, until a signal comes."""

from __future__ import annotations

import logging
import signal
import threading

import uvicorn

from tintype.server.app import create_app, guarded
from tintype.server.jobs.records import Jobs
from tintype.server.jobs.worker import Worker
from tintype.server.protocol import LONGEST_HEAD_BYTES, protocol_with
from tintype.server.settings import Settings

_FINISH_S = 20  # that requests in work are given when the server is stopped


def serve(settings: Settings, proxies: tuple[str, ...] = ()) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: how.
        proxies: addresses whose X-Forwarded-For is believed.

    Raises:
        TintypeError: as ``create_app``.
        OSError: the address cannot be listened on.
    """
    server(settings, proxies).run()


def server(settings: Settings, proxies: tuple[str, ...] = ()) -> uvicorn.Server:
    """The server, not yet running."""
    limits = settings.limits
    config = uvicorn.Config(
        guarded(create_app(settings)),
        host=settings.host,
        port=settings.port,
        http=protocol_with(limits),
        ws="websockets-sansio",
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
    )
    return uvicorn.Server(config)


def work(settings: Settings) -> None:
    """Do jobs until SIGINT or SIGTERM, without serving."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    worker = Worker(settings, Jobs(settings.data))
    worker.start()
    logging.getLogger("tintype.jobs").info("Waiting for jobs in %s.", settings.data)
    stop.wait()
    worker.stop()
