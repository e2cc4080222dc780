"""What Prometheus may know: requests, pictures, jobs and memory."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

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
