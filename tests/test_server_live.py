"""Live frames through the API: coloured, dropped rather than late, bounded, or refused."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from starlette.websockets import WebSocketDisconnect

from server_samples import client_of, colours, grey_file
from tintype.server.routes.live import Latest
from tintype.server.settings import Limits

LIVE = "ws://127.0.0.1:8000/v1/live"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("server")
    limits = Limits(live=1, frame_bytes=100_000, frame_pixels=10_000)
    with client_of(data, tiny_model, workers=0, limits=limits) as client:
        yield client


def test_frames_come_back_in_colour_at_their_own_size(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        for number in range(1, 4):
            socket.send_bytes(grey_file("JPEG", seed=number))
            told = json.loads(socket.receive_text())
            frame = colours(socket.receive_bytes())
            assert (told["frame"], told["dropped"], frame.size) == (number, 0, (64, 48))
        assert np.ptp(np.asarray(frame, int), axis=2).max() > 10


def test_options_hold_for_the_frames_that_follow(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"strength": 0}')
        socket.send_bytes(grey_file())
        socket.receive_text()
        grey = np.asarray(colours(socket.receive_bytes()), int)
    assert np.ptp(grey, axis=2).max() <= 2


def test_colours_of_the_camera_do_not_count(client: TestClient) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (220, 20, 20)).save(file, "PNG")
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"strength": 0}')
        socket.send_bytes(file.getvalue())
        socket.receive_text()
        red, green, _ = colours(socket.receive_bytes()).getpixel((30, 30))  # type: ignore[misc]
    assert abs(red - green) <= 2


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        (b"no picture", 1003, "no JPEG, PNG or WebP"),
        (grey_file(height=200), 1003, "more than the 10000 pixels"),
        (bytes(200_000), 1009, "too large"),
        ("{", 1003, "JSON"),
        ("[1]", 1003, "JSON object"),
        ('{"strength": 9}', 1003, "less than or equal to 2"),
        ('{"strength": 0.5, "model": "/etc/passwd"}', 1003, "model: is no option of a live view."),
    ],
)
def test_what_cannot_be_shown_closes_the_view_with_a_sentence(
    client: TestClient, sent: str | bytes, code: int, says: str
) -> None:
    with client.websocket_connect(LIVE) as socket:
        if isinstance(sent, bytes):
            socket.send_bytes(sent)
        else:
            socket.send_text(sent)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == code
    assert says in closed.value.reason


def test_more_views_than_allowed_are_refused(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as first:
        first.send_bytes(grey_file())
        first.receive_text()
        refused = pytest.raises(WebSocketDisconnect)
        with client.websocket_connect(LIVE) as second, refused as closed:
            second.receive_text()
        assert closed.value.code == 1013
    with client.websocket_connect(LIVE) as third:  # the first has left
        third.send_bytes(grey_file())
        third.receive_text()


def test_pages_of_other_origins_get_no_view(client: TestClient) -> None:
    headers = {"origin": "http://evil.example"}
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(LIVE, headers=headers):
        pass


def test_only_the_newest_frame_is_kept() -> None:
    async def take() -> tuple[object, int, object]:
        latest = Latest()
        for frame in (b"1", b"2", b"3"):
            latest.put(frame)
        newest = await latest.take()
        latest.close()
        return newest, latest.dropped, await latest.take()

    assert asyncio.run(take()) == ((3, b"3"), 2, None)
