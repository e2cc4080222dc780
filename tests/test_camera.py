"""Where the live view's frames come from; a film file stands for the camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

import film_samples as samples
from tintype.desktop import camera
from tintype.desktop.camera import Device, device_of, open_reel
from tintype.desktop.projector import Newest
from tintype.errors import UnreadableFilm, UsageError

DEVICES = {
    ("0", "linux"): Device("/dev/video0", "v4l2", {}),
    ("/dev/video2", "linux"): Device("/dev/video2", "v4l2", {}),
    ("1", "darwin"): Device("1", "avfoundation", {"framerate": "30"}),
    ("video=Cam 1", "win32"): Device("video=Cam 1", "dshow", {}),
    ("film.mp4", "linux"): None,
    ("film.mp4", "darwin"): None,
    ("film.mp4", "win32"): None,
    ("rtsp://host/1", "linux"): None,
}


@pytest.mark.parametrize(("source", "platform"), DEVICES)
def test_cameras_are_named_as_each_system_names_them(source: str, platform: str) -> None:
    assert device_of(source, None, platform) == DEVICES[source, platform]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_camera_is_asked_for_a_rate(platform: str) -> None:
    device = device_of("0", Fraction(24000, 1001), platform)
    assert device is not None
    assert device.options == {"framerate": "24000/1001"}


def test_windows_cameras_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        SimpleNamespace(name="@mic", media_types=["audio"]),
        SimpleNamespace(name="@a", media_types=["video"]),
        SimpleNamespace(name="@b", media_types=["video", "audio"]),
    ]
    monkeypatch.setattr("av.device.enumerate_input_devices", lambda kind: found)
    assert device_of("1", None, "win32") == Device("video=@b", "dshow", {})
    with pytest.raises(UnreadableFilm, match="no camera 2: 2 were found"):
        device_of("2", None, "win32")


def test_a_film_as_camera_gives_frames_at_the_time_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples.write_film(tmp_path / "camera.mkv", 8, pixel_format="yuv422p")
    device = Device(str(path), "matroska", {})
    monkeypatch.setattr(camera, "device_of", lambda *_: device)
    reel = open_reel("0")
    assert (reel.live, reel.name, reel.film.size) == (True, "camera", (48, 80))
    assert reel.film.time_base == Fraction(1, 1000)
    times = []
    for frame in reel.frames:
        times.append(frame.pts)
        assert frame.time_base == reel.film.time_base
        time.sleep(0.01)
    assert len(times) == 8
    assert all(b - a >= 9 for a, b in pairwise(times))


def test_a_camera_that_changes_its_size_is_shown_at_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "camera.ts"
    parts = []
    for size in ((48, 80), (64, 96)):
        part = samples.write_film(tmp_path / "part.ts", 6, codec="mpeg2video", size=size)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    monkeypatch.setattr(camera, "device_of", lambda *_: Device(str(path), "mpegts", {}))
    sizes = [(frame.height, frame.width) for frame in open_reel("0").frames]
    assert len(sizes) > 8
    assert set(sizes) == {(48, 80)}


def test_a_film_is_read_in_its_own_time(tmp_path: Path) -> None:
    path = samples.write_film(tmp_path / "old film.mkv", 5)
    reel = open_reel(str(path))
    assert (reel.live, reel.name) == (False, "old film")
    times = [round(float(frame.pts * reel.film.time_base), 3) for frame in reel.frames]
    assert times == [0, 0.04, 0.08, 0.12, 0.16]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("missing.mkv", "missing.mkv cannot be opened as a film: No such file or directory."),
        ("/dev/video97", "/dev/video97 cannot be opened as a camera: No such file or directory. "),
        ("http://127.0.0.1:9/x.mp4", "http://127.0.0.1:9/x.mp4 cannot be opened as a film: "),
    ],
)
def test_what_cannot_be_opened_is_said(
    source: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(UnreadableFilm) as caught:
        open_reel(source)
    assert str(caught.value).startswith(said)


class Web:
    """Gives one film at every address, whole or as a stream that knows no length."""

    def __init__(self, content: bytes, endless: bool) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                name, value = ("Transfer-Encoding", "chunked")
                if not endless:
                    name, value = ("Content-Length", str(len(content)))
                self.send_header(name, value)
                self.end_headers()
                chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
                try:
                    self.wfile.write(chunk if endless else content)
                except OSError:  # it has seen enough
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/live"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_stream_is_live_and_has_no_rate_to_choose(tmp_path: Path) -> None:
    path = samples.write_film(tmp_path / "stream.ts", 10, codec="mpeg2video")
    web = Web(path.read_bytes(), endless=True)
    try:
        reel = open_reel(web.address)
        assert (reel.live, reel.name) == (True, "stream")
        assert len(list(reel.frames)) >= 8
        with pytest.raises(UsageError, match="--fps is for films and cameras"):
            open_reel(web.address, Fraction(30))
    finally:
        web.close()


def test_a_film_on_the_network_plays_in_its_own_time(tmp_path: Path) -> None:
    path = samples.write_film(tmp_path / "a.mp4", 10, codec="libx264")
    web = Web(path.read_bytes(), endless=False)
    try:
        reel = open_reel(web.address)
        assert not reel.live
        assert len(list(reel.frames)) == 10
    finally:
        web.close()


def test_only_the_newest_item_is_kept() -> None:
    taken, made = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        taken.wait(10)
        yield from range(2, 50)
        made.set()

    newest = Newest(numbers())
    assert next(newest) == 1
    taken.set()
    assert made.wait(10)
    assert list(newest) == [49]
    assert newest.missed == 47


def test_what_a_camera_fails_with_comes_after_its_last_frame() -> None:
    def breaking() -> Iterator[int]:
        yield 1
        raise UnreadableFilm("It was unplugged.")

    newest = Newest(breaking())
    with pytest.raises(UnreadableFilm, match="unplugged"):
        assert list(newest) == [1]


def test_nobody_waits_for_a_silent_camera() -> None:
    heard = threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        heard.wait(10)
        yield 2

    newest = Newest(silent())
    assert next(newest) == 1
    threading.Timer(0.05, newest.close).start()
    start = time.monotonic()
    assert list(newest) == []
    assert time.monotonic() - start < 5
    heard.set()
