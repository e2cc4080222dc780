"""What tests of the server share: an application with the tiny network, and pictures to send."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from PIL import Image

from conftest import grey_pixels
from tintype.server.app import create_app, guarded
from tintype.server.settings import Settings

ENDED = ("done", "failed", "cancelled")


@contextmanager
def client_of(data: Path, model: Path, **changes: Any) -> Iterator[TestClient]:
    """A client of a server of its own, whose network is loaded; headers name the loopback."""
    settings = Settings(data=data, model=str(model), device="cpu", **changes)
    app = create_app(settings)
    with TestClient(guarded(app), base_url="http://127.0.0.1:8000") as client:
        deadline = time.monotonic() + 10
        while not app.state.tintype.ready and time.monotonic() < deadline:
            time.sleep(0.01)
        client.app_state = app.state.tintype  # type: ignore[attr-defined]
        yield client


def grey_file(kind: str = "PNG", height: int = 48, width: int = 64, seed: int = 0) -> bytes:
    """A grey picture's file."""
    file = io.BytesIO()
    Image.fromarray(grey_pixels(height, width, seed)).save(file, kind)
    return file.getvalue()


def colours(data: bytes) -> Image.Image:
    """The picture of a file."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def until_ended(client: TestClient, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
    """A job when it has ended."""
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] in ENDED:
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.1)


def wait_for(look: Callable[[], object], seconds: float = 60.0) -> Any:
    """What ``look`` finds, as soon as that is anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody listens on a port of the loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
