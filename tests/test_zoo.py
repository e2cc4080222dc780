from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tintype import zoo
from tintype.errors import ChecksumMismatch, ModelNotFound, UsageError
from tintype.zoo import Weights

CONTENT = bytes(range(256)) * 9000


class Server:
    """A web server on the loopback address that can misbehave."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.breaks_after: int | None = None
        self.knows_ranges = True
        self.redirects_to: str | None = None
        self.content = CONTENT
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._httpd.server_port}/tiny.onnx"
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        if self.redirects_to:
            request.send_response(302)
            request.send_header("Location", self.redirects_to)
            request.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start and start >= len(self.content):
            request.send_error(416)
            return
        if not self.knows_ranges:
            start = 0
        request.send_response(206 if start else 200)
        if start:
            end = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        request.wfile.write(self.content[start : self.breaks_after])

    def close(self) -> None:
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINTYPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record_at(url: str | None, **changes: object) -> Weights:
    digest = hashlib.sha256(CONTENT).hexdigest()
    plain = Weights("tiny", "3", digest, len(CONTENT), "CC0-1.0", "For tests.", "", url=url)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def tiny(server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    record = record_at(server.url)
    monkeypatch.setattr(zoo, "_RECORDS", (record,))
    return record


def test_every_record_is_complete() -> None:
    names = [record.name for record in zoo.list_models()]
    assert names[0] == "tintype"
    assert len(set(names)) == len(names)
    for record in zoo.list_models():
        assert len(record.sha256) == 64
        assert int(record.sha256, 16) >= 0
        assert (record.file is None) != (record.url is None)
        assert record.url is None or record.url.startswith("https://")
        assert record.summary
        assert record.licence


def test_shipped_weights_are_the_recorded_ones() -> None:
    for record in zoo.list_models():
        if record.file is None:
            continue
        if not record.is_here:
            pytest.skip(f"{record.path} is not there: the model has not been exported yet")
        assert zoo.verify(record.name) == record.path
        assert record.path.stat().st_size == record.size_bytes


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(ModelNotFound, match="did you mean tintype"):
        zoo.find("tintyp")
    with pytest.raises(ModelNotFound, match="tintype"):
        zoo.find("nothing like it")


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TINTYPE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert zoo.cache_directory() == Path.home() / ".cache/tintype"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert zoo.cache_directory() == Path("/x/tintype")
    monkeypatch.setenv("TINTYPE_HOME", "~/mine")
    assert zoo.cache_directory() == Path.home() / "mine"


def test_fetches_once(tiny: Weights, server: Server) -> None:
    told: list[tuple[int, int]] = []
    path = zoo.fetch("tiny", told=lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert path == zoo.cache_directory() / "tiny-3.onnx"
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert zoo.fetch("tiny", offline=True) == zoo.verify("tiny") == path
    assert len(server.ranges) == 1
    assert [p.name for p in path.parent.iterdir()] == ["tiny-3.onnx"]


def test_an_interrupted_download_is_resumed(tiny: Weights, server: Server) -> None:
    server.breaks_after = 1_500_000
    with pytest.raises(ModelNotFound, match=r"cannot be fetched from .*ended after 1500000 of"):
        zoo.fetch("tiny")
    assert not tiny.is_here
    server.breaks_after = None
    assert zoo.fetch("tiny").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1500000-"]


def test_a_server_without_ranges_starts_again(tiny: Weights, server: Server) -> None:
    server.breaks_after = 1000
    with pytest.raises(ModelNotFound):
        zoo.fetch("tiny")
    server.breaks_after, server.knows_ranges = None, False
    assert zoo.fetch("tiny").read_bytes() == CONTENT


def test_the_part_of_another_file_is_dropped(tiny: Weights, server: Server) -> None:
    part = tiny.path.with_name(f"{tiny.sha256}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something else")
    assert zoo.fetch("tiny").read_bytes() == CONTENT
    assert server.ranges == ["bytes=14-", None]


def test_a_range_beyond_the_end_starts_again(tiny: Weights, server: Server) -> None:
    part = tiny.path.with_name(f"{tiny.sha256}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])
    server.content = CONTENT[:900]
    with pytest.raises(ModelNotFound, match="ended after 900 of"):
        zoo.fetch("tiny")
    assert server.ranges == ["bytes=1000-", None]


def test_wrong_content_is_deleted(tiny: Weights, server: Server) -> None:
    server.content = bytes(len(CONTENT))
    with pytest.raises(ChecksumMismatch, match="it was deleted"):
        zoo.fetch("tiny")
    assert list(zoo.cache_directory().iterdir()) == []


def test_endless_content_does_not_fill_the_disk(tiny: Weights, server: Server) -> None:
    server.content = CONTENT * 20
    told: list[int] = []
    with pytest.raises(ChecksumMismatch):
        zoo.fetch("tiny", told=lambda done, _: told.append(done))
    assert told[-1] < 3 * len(CONTENT)


def test_a_changed_file_is_found_out(tiny: Weights) -> None:
    path = zoo.fetch("tiny")
    path.write_bytes(CONTENT[:-1] + b"!")
    for check in (zoo.verify, zoo.fetch):
        with pytest.raises(ChecksumMismatch, match="tintype models fetch tiny"):
            check("tiny")


def test_offline(tiny: Weights, server: Server) -> None:
    with pytest.raises(ModelNotFound, match="cannot be fetched offline"):
        zoo.fetch("tiny", offline=True)
    with pytest.raises(ModelNotFound, match="run tintype models fetch tiny"):
        zoo.verify("tiny")
    assert server.ranges == []


def test_nobody_answers(tiny: Weights, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = replace(tiny, url="http://127.0.0.1:9/tiny.onnx")
    monkeypatch.setattr(zoo, "_RECORDS", (gone,))
    with pytest.raises(ModelNotFound, match=r"cannot be fetched from http://127\.0\.0\.1:9"):
        zoo.fetch("tiny")


def test_a_file_address(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "on-disk.onnx"
    source.write_bytes(CONTENT)
    monkeypatch.setattr(zoo, "_RECORDS", (record_at(source.as_uri()),))
    assert zoo.fetch("tiny").read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org/x"])
def test_only_safe_addresses(home: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(zoo, "_RECORDS", (record_at(url),))
    with pytest.raises(UsageError, match="over https only"):
        zoo.fetch("tiny")


@pytest.mark.parametrize("to", ["http://example.org/x", "file:///etc/passwd"])
def test_redirections_stay_safe(tiny: Weights, server: Server, to: str) -> None:
    server.redirects_to = to
    with pytest.raises((UsageError, ModelNotFound), match=r"https only|not allowed"):
        zoo.fetch("tiny")
    assert not tiny.is_here


def test_a_missing_shipped_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "_RECORDS", (record_at(None, file="not-there.onnx"),))
    with pytest.raises(ModelNotFound, match="install Tintype again"):
        zoo.fetch("tiny")
