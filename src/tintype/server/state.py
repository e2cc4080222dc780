"""What the parts of one server share."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request, WebSocket

from tintype.server.gate import Gate
from tintype.server.jobs.records import Jobs
from tintype.server.jobs.worker import Worker
from tintype.server.metrics import Metrics
from tintype.server.settings import Settings
from tintype.server.shelf import Shelf


@dataclass
class State:
    """One server.

    Attributes:
        settings: as it was started.
        shelf: its networks.
        gate: turns of pictures.
        live_gate: turns of live views' frames.
        jobs: records.
        worker: what does them.
        metrics: what is counted.
        live: live views at the moment.
        ready: whether the default network is loaded.
    """

    settings: Settings
    shelf: Shelf
    gate: Gate
    live_gate: Gate
    jobs: Jobs
    worker: Worker
    metrics: Metrics
    live: int = 0
    ready: bool = False


def state_of(request: Request | WebSocket) -> State:
    """The server that a request came to."""
    state: State = request.app.state.tintype
    return state


def owner_of(request: Request | WebSocket) -> str:
    """Who asks, as records name them; "" where no keys are needed."""
    return str(request.scope.get("state", {}).get("owner", ""))
