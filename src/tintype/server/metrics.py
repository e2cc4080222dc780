"""What Prometheus may know: requests, pictures, jobs and memory."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        labels = ("method", "route", "status")
        self.requests = Counter(
            "tintype_requests", "Requests answered.", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "tintype_request_seconds",
            "Until the answer began.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.megapixels = Counter("tintype_megapixels", "Coloured at once.", registry=self.registry)
        self.frames = Counter(
            "tintype_live_frames", "Of live views.", ("what",), registry=self.registry
        )
        self.gauges = Gauge(
            "tintype_now", "How many there are now.", ("what",), registry=self.registry
        )

    def text(self) -> bytes:
        """All of it, in Prometheus's own format."""
        return generate_latest(self.registry)


class Counted:
    """The application, counted.

    Plain ASGI: Starlette's own middleware runs what reads a body in a task group, which would
    wrap the guard's problems so that nobody knows them again.

    Args:
        app: what is counted.
        metrics: where.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count its answer when that begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        await self._app(scope, receive, sending)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # What clients make up must not become names in the metrics, which are kept for ever.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
