"""What every request passes: heads and bodies in time, who may ask, how often, how many at once.

Most of it against a server on a loopback port with deadlines of half a second.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from image_samples import pillow
from server_samples import client_of
from serving import HOST, Answer, Part, Served, form, heard, serving
from tintype.cli.serve import serve as serve_command
from tintype.errors import UsageError
from tintype.server import run
from tintype.server.gate import Gate
from tintype.server.guard import HEADERS, KEY_COOKIE, POLICY, Rates
from tintype.server.problems import Problem
from tintype.server.routes import pictures
from tintype.server.settings import Limits, Settings

SOON_S = 0.5
IN_TIME_S = 3.0  # a loaded machine is late, but not for ever
TIGHT = Limits(
    header_s=SOON_S,
    body_s=SOON_S,
    unread_s=SOON_S,
    upload_bytes=200_000,
    held_bytes=300_000,
    connections=12,
)
KEY, OTHER_KEY = "k" * 20, "o" * 20
HEAD = f"Host: {HOST}\r\n".encode()
LARGE_FILE = "/docs/files/swagger-ui-bundle.js"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    """A server with little patience."""
    data = tmp_path_factory.mktemp("guard")
    with serving(data, tiny_model, workers=0, limits=TIGHT) as server:
        yield server


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    """A server with keys, which one foreign page may use."""
    data, keys = tmp_path_factory.mktemp("locked"), (KEY, OTHER_KEY)
    pages = ("https://example.org",)
    with serving(data, tiny_model, workers=0, api_keys=keys, origins=pages) as server:
        yield server


def trickle(served: Served, head: bytes, rest: bytes) -> tuple[bytes, float]:
    """What a server answers whoever sends byte after byte, and after how many seconds."""
    begun = time.monotonic()
    with served.connected() as connection:
        connection.sendall(head)
        connection.settimeout(0.05)
        for byte in rest[:200]:
            try:
                connection.sendall(bytes([byte]))
                answer = connection.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                answer = b""
            return answer + heard(connection), time.monotonic() - begun
    raise AssertionError("It was not cut off.")


def problem_in(answer: bytes) -> dict[str, object]:
    """The problem that raw bytes tell of, and that they carry the headers."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    for name, value in HEADERS.items():
        assert f"\r\n{name}: {value}".encode() in head
    found: dict[str, object] = json.loads(body)
    return found


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + IN_TIME_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Heads


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HTTP/1.1\r\n" + HEAD])
def test_a_head_that_does_not_end_is_cut_off(served: Served, sent: bytes) -> None:
    begun = time.monotonic()
    answer = served.say(sent)
    assert SOON_S * 0.9 < time.monotonic() - begun < IN_TIME_S
    assert problem_in(answer)["status"] == 408


def test_a_head_sent_byte_by_byte_is_cut_off(served: Served) -> None:
    answer, seconds = trickle(served, b"", b"GET /healthz HTTP/1.1\r\n" + 20 * b"X: y\r\n")
    assert problem_in(answer)["status"] == 408
    assert seconds < IN_TIME_S


def test_the_second_head_of_a_connection_has_no_more_time(served: Served) -> None:
    first = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    answer, seconds = trickle(served, first, b"GET /healthz HTTP/1.1\r\n" + 20 * b"X: y\r\n")
    assert answer.count(b"HTTP/1.1 ") >= 1
    assert seconds < IN_TIME_S


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"X-%d: y\r\n" % i for i in range(3000)),
        b"X: " + 40_000 * b"y" + b"\r\n",
        b"X y\r\n",
        b"X : y\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: " + 5000 * b"9" + b"\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Host: other\r\n",
        b"X: \x00\r\n",
    ],
)
def test_heads_that_make_no_sense_are_refused(served: Served, headers: bytes) -> None:
    answer = served.say(b"POST /v1/colorize HTTP/1.1\r\n" + HEAD + headers + b"\r\n")
    assert problem_in(answer)["status"] in (400, 431), answer
    assert served.is_well


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0" * 100])
def test_what_is_no_http_is_refused(served: Served, noise: bytes) -> None:
    answer = served.say(noise + b"\r\n\r\n")
    assert problem_in(answer)["status"] == 400


def test_both_lengths_at_once_are_no_second_request(served: Served) -> None:
    smuggled = b"GET /metrics HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    answer = served.say(
        b"POST /colorized HTTP/1.1\r\n"
        + HEAD
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + smuggled
    )
    # RFC 9112, 6.3: chunked counts, so that what follows is a request of the same sender.
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"422", b"200"]


def test_requests_in_one_piece_are_answered_in_turn(served: Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    last = b"GET /v1/nothing HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    answer = served.say(20 * one + last)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == 20 * [b"200"] + [b"404"]


# Bodies


def post(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "header", "rest"),
    [
        ("/v1/colorize", "Content-Length: 1000", 200 * b"x"),
        ("/v1/colorize", "Transfer-Encoding: chunked", 200 * b"1\r\nx\r\n"),
        ("/colorized", "Content-Length: 1000", 200 * b" "),
        ("/v1/colorize", "Transfer-Encoding: chunked", 200 * b"0"),
    ],
)
def test_a_body_that_trickles_is_cut_off(
    served: Served, path: str, header: str, rest: bytes
) -> None:
    answer, seconds = trickle(served, post(path, header), rest)
    assert seconds < IN_TIME_S
    assert problem_in(answer)["status"] in (400, 408)


def test_a_job_that_trickles_is_cut_off_long_before_the_time_of_large_films(served: Served) -> None:
    assert TIGHT.job_body_s > 100
    body, kind = form(Part("file", 100_000 * b"x", "film.mp4"))
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n".encode()
    answer, seconds = trickle(served, head + b"Content-Length: 1000000000\r\n\r\n", body)
    assert seconds < IN_TIME_S
    assert problem_in(answer)["status"] == 408


@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/v1/colorize", TIGHT.upload_bytes + 1),
        ("/v1/jobs", TIGHT.job_bytes + 1),
        ("/v1/jobs/xyz/cancel", 100_000),
    ],
)
def test_a_body_that_says_it_is_too_large_is_not_waited_for(
    served: Served, path: str, length: int
) -> None:
    answer = served.say(post(path, f"Content-Length: {length}", "Expect: 100-continue"))
    assert problem_in(answer)["status"] == 413
    assert b"100 Continue" not in answer


def test_a_body_without_a_length_is_counted(served: Served) -> None:
    piece = b"10000\r\n" + 0x10000 * b"x" + b"\r\n"
    answer = served.say(post("/v1/colorize", "Transfer-Encoding: chunked") + 4 * piece)
    assert problem_in(answer)["status"] == 413


@pytest.mark.parametrize("announced", [True, False])
def test_who_still_sends_hears_why_that_is_too_much(served: Served, announced: bool) -> None:
    """A connection that is closed in the middle of it would be reset, and the answer lost."""
    piece = b"10000\r\n" + 0x10000 * b"x" + b"\r\n"
    length = "Content-Length: 30000000" if announced else "Transfer-Encoding: chunked"
    with served.connected() as connection:
        connection.sendall(post("/v1/colorize", length))
        for _ in range(300):  # of which a fraction would be enough
            connection.sendall(piece)
        begun = time.monotonic()
        assert problem_in(heard(connection))["status"] == 413
    assert time.monotonic() - begun < 1
    eventually(lambda: served.connections == 0)


def test_who_sends_on_for_ever_is_cut_off(served: Served) -> None:
    with served.connected() as connection, pytest.raises(OSError):  # noqa: PT011, PT012
        connection.sendall(post("/v1/colorize", "Content-Length: 30000000"))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            connection.sendall(b"x")
            time.sleep(0.05)
    eventually(lambda: served.connections == 0)


def test_what_comes_after_a_body_is_not_part_of_it(served: Served) -> None:
    answer = served.say(post("/colorized", "Content-Length: 2") + b"{}" + 100 * b"x" + b"\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"422", b"400"]


def test_bodies_in_memory_are_counted_together(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            waiting = stack.enter_context(served.connected())
            waiting.sendall(post("/v1/colorize", "Content-Length: 150000") + 140_000 * b"x")
        answer = served.say(post("/v1/colorize", "Content-Length: 150000") + 100_000 * b"x")
        assert problem_in(answer)["status"] == 503
        assert b"retry-after" in answer.lower()
    eventually(lambda: served.connections == 0)
    ask = served.ask("POST", "/v1/colorize", 150_000 * b"x", {"Content-Type": "application/json"})
    assert ask.status == 422  # as every body is given back


# Answers


def narrow(port: int, size: int = 4096) -> socket.socket:
    """A connection that takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    connection.settimeout(5)
    connection.connect((HOST, port))
    return connection


def test_an_answer_that_is_not_read_is_given_up(served: Served) -> None:
    request = f"GET {LARGE_FILE} HTTP/1.1\r\n".encode() + HEAD + b"\r\n"
    with narrow(served.port) as connection:
        connection.sendall(5 * request)
        begun = time.monotonic()
        eventually(lambda: served.connections == 1)
        eventually(lambda: served.connections == 0)
        assert time.monotonic() - begun > SOON_S * 0.9
    assert served.is_well


def test_a_short_answer_that_is_not_read_is_given_up(served: Served) -> None:
    """Even where the little that is left keeps a closed connection from ending."""
    request = b"GET /openapi.json HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    size = len(served.ask("GET", "/openapi.json").body)
    assert size > 10_000
    with narrow(served.port) as connection:
        connection.sendall(request)
        eventually(lambda: served.connections == 0)


def test_an_answer_that_is_read_slowly_is_given_time(served: Served) -> None:
    request = f"GET {LARGE_FILE} HTTP/1.1\r\n".encode() + HEAD + b"Connection: close\r\n\r\n"
    whole = len(served.say(request))
    with narrow(served.port, 1 << 16) as connection:
        connection.sendall(request)
        begun, got = time.monotonic(), 0
        while piece := connection.recv(16 << 10):
            got += len(piece)
            if time.monotonic() - begun < 3 * SOON_S:
                time.sleep(0.03)
    assert got == whole
    assert time.monotonic() - begun > 2 * SOON_S


# Connections


def test_too_many_connections_are_told_or_cut_off(served: Served) -> None:
    eventually(lambda: served.connections == 0)
    with ExitStack() as stack:
        for _ in range(TIGHT.connections):
            stack.enter_context(served.connected())
        eventually(lambda: served.connections == TIGHT.connections)
        answer = served.say(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert problem_in(answer)["status"] == 503
        for _ in range(5 * TIGHT.connections):
            stack.enter_context(served.connected())
        eventually(lambda: served.connections == 2 * TIGHT.connections)
    eventually(lambda: served.connections == 0)
    assert served.is_well


# Who asks


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:1", "localhost:99", "LOCALHOST", "[::1]:8000"]
)
def test_its_own_names_are_answered(served: Served, host: str) -> None:
    assert served.ask("GET", "/v1/models", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        *((name, True) for name in ("192.168.1.5:8000", "[fe80::1]:8000", "nas", "nas.local:80")),
        *((name, False) for name in ("evil.example:8000", "local.evil.example", "1.2.3.4.example")),
    ],
)
def test_without_keys_no_name_of_the_public_dns_is_answered(
    tmp_path: Path, tiny_model: Path, host: str, answered: bool
) -> None:
    for keys, expected in (((), answered), ((KEY,), True)):
        changes = {"host": "0.0.0.0", "api_keys": keys, "workers": 0}
        with client_of(tmp_path, tiny_model, **changes) as client:
            answer = client.get("/v1/jobs", headers={"Host": host, "X-API-Key": KEY})
        assert answer.status_code == (200 if expected else 421)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil", "0.0.0.0", "a b", "é"],
)
def test_other_names_are_not(served: Served, host: str) -> None:
    """DNS rebinding: a page whose name means 127.0.0.1 must not reach it."""
    answer = served.ask("GET", "/v1/models", headers={"Host": host})
    assert answer.status in (400, 421)
    assert answer.detail


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1.evil.example", ""]
)
def test_pages_of_other_origins_may_not_post(served: Served, origin: str) -> None:
    answer = served.ask("POST", "/v1/colorize", b"{}", {"Origin": origin})
    assert answer.status == 403
    assert "origin" in answer.detail


def test_its_own_pages_may(served: Served) -> None:
    headers = {"Origin": f"http://{HOST}:{served.port}", "Content-Type": "application/json"}
    assert served.ask("POST", "/v1/colorize", b"{}", headers).status == 422


@pytest.mark.parametrize("origin", ["https://evil.example", "http://["])
def test_websockets_of_other_origins_are_refused(served: Served, origin: str) -> None:
    address = f"ws://{HOST}:{served.port}/v1/live"
    with pytest.raises(InvalidStatus, match="403"), connect(address, origin=origin):
        pass
    assert served.state.live == 0


def test_no_page_may_call_unless_allowed(served: Served, locked: Served) -> None:
    asking = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    for answer in (
        served.ask("GET", "/healthz", headers=asking),
        served.ask("OPTIONS", "/v1/colorize", headers=asking),
        locked.ask("GET", "/healthz", headers={"Origin": "https://evil.example"}),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-allow-or")]
    answer = locked.ask("GET", "/healthz", headers=asking)
    assert answer.headers["access-control-allow-origin"] == "https://example.org"
    assert "access-control-allow-credentials" not in answer.headers


def test_an_allowed_page_is_told_so_before_it_has_sent_the_key(locked: Served) -> None:
    """Browsers ask without the key whether they may send it."""
    asking = {
        "Origin": "https://example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = locked.ask("OPTIONS", "/v1/colorize", headers=asking)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://example.org"


WITH_KEY = [
    {"X-API-Key": KEY},
    {"Authorization": f"Bearer {KEY}"},
    {"authorization": f"bearer  {OTHER_KEY}"},
    {"Cookie": f"a=b; {KEY_COOKIE}={KEY}"},
    {"Cookie": f'odd={{"a":"b"}}; x; c=d e;{KEY_COOKIE}={KEY}'},
]
WITHOUT_KEY = [
    {},
    {"X-API-Key": KEY[:-1]},
    {"X-API-Key": KEY + "k"},
    {"X-API-Key": ""},
    {"X-API-Key": "é"},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": "Bearer"},
    {"Authorization": KEY},
    {"Cookie": f"{KEY_COOKIE}="},
    {"Cookie": f"{KEY_COOKIE}={KEY[:-1]}"},
    {"Cookie": '"' * 500},
]


@pytest.mark.parametrize("headers", WITH_KEY)
def test_a_key_opens_from_three_places(locked: Served, headers: dict[str, str]) -> None:
    assert locked.ask("GET", "/v1/models", headers=headers).status == 200


@pytest.mark.parametrize("headers", WITHOUT_KEY)
def test_nothing_else_does(locked: Served, headers: dict[str, str]) -> None:
    answer = locked.ask("GET", "/v1/models", headers=headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert KEY not in answer.detail


def test_only_its_health_and_the_page_that_asks_for_a_key_are_open(locked: Served) -> None:
    for path in ("/healthz", "/readyz", "/", "/static/app.js", "/worker.js"):
        assert locked.ask("GET", path).status == 200, path
    for path in ("/static/../v1/jobs", "/static/..%2fv1/jobs", "/static/%2e%2e/app.py"):
        assert locked.ask("GET", path).status in (401, 404), path
    for path in ("/docs", "/openapi.json", "/metrics", "/v1/jobs", LARGE_FILE, "/nothing"):
        assert locked.ask("GET", path).status == 401, path
    for path in ("//healthz", "/healthz/", "/healthz%00", "/healthz;/../v1/jobs", "/%68ealthz/../"):
        assert locked.ask("GET", path).status == 401, path
    body = 1000 * b"x"
    assert locked.ask("POST", "/v1/colorize", body, {"Expect": "100-continue"}).status == 401
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://{HOST}:{locked.port}/v1/live"),
    ):
        pass


def test_a_rate_is_kept_and_told(tmp_path: Path, tiny_model: Path) -> None:
    with serving(tmp_path, tiny_model, workers=0, rate=3) as served:
        statuses = [served.ask("GET", "/v1/models").status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        answer = served.ask("POST", "/v1/colorize", b"x")
        assert answer.status == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 21
        assert served.is_well  # health is not counted


def test_rates_recover_and_forget_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tintype.server.guard.time.monotonic", lambda: now[0])
    monkeypatch.setattr("tintype.server.guard._MOST_CLIENTS", 5)
    rates = Rates(60)
    assert [rates.wait_s("a") for _ in range(60)] == 60 * [0.0]
    assert rates.wait_s("a") == pytest.approx(1.0)
    assert rates.wait_s("b") == 0.0
    now[0] = 1.0
    assert rates.wait_s("a") == 0.0
    assert rates.wait_s("a") > 0
    for number in range(20):
        rates.wait_s(str(number))
    assert len(rates._clients) == 5
    assert Rates(0).wait_s("a") == 0.0


# Headers


def every_kind_of_answer(served: Served) -> Iterator[Answer]:
    for path in ("/", "/docs", LARGE_FILE, "/static/docs.js", "/openapi.json", "/metrics"):
        yield served.ask("GET", path)
    yield served.ask("GET", "/nothing")
    yield served.ask("GET", "/static/../app.py")
    yield served.ask("PATCH", "/v1/colorize")
    yield served.ask("POST", "/v1/colorize", b"x")
    yield served.ask("POST", "/colorized", b"{", {"Content-Type": "application/json"})
    yield served.ask("GET", "/v1/models", headers={"Host": "evil.example"})
    yield served.ask("POST", "/colorized", b"x", {"Origin": "https://evil.example"})
    yield served.ask("POST", "/colorized", TIGHT.upload_bytes * b"xx")
    yield served.ask("GET", LARGE_FILE, headers={"Range": "bytes=0-1"})
    yield served.ask("GET", LARGE_FILE, headers={"Range": "bytes=99999999-"})


def test_every_answer_carries_the_headers(served: Served) -> None:
    answers = list(every_kind_of_answer(served))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, answer
        assert "server" not in answer.headers
        if answer.status >= 400 and answer.status != 416:
            assert answer.detail.endswith(".")
    assert {answer.status for answer in answers} >= {200, 206, 403, 404, 405, 413, 415, 421, 422}


def test_an_error_that_nobody_thought_of_is_a_problem(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("the secret of /srv/tintype")

    monkeypatch.setattr(served.state.shelf, "offered", fails)
    answer = served.ask("GET", "/v1/models")
    assert answer.status == 500
    assert b"secret" not in answer.body
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


def test_docs_come_from_this_server_alone(served: Served) -> None:
    page = served.ask("GET", "/docs").body.decode()
    used = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(used) >= 3
    for address in used:
        assert address.startswith(("/docs/files/", "/static/", "data:")), address
        if address.startswith("/"):
            assert served.ask("GET", address).status == 200
    assert "<script>" not in page
    assert "style=" not in page
    assert "'unsafe" not in POLICY
    assert "http" not in POLICY


def test_what_clients_make_up_does_not_stay_in_the_metrics(served: Served) -> None:
    for number in range(30):
        served.ask(f"METHOD{number}", "/v1/models")
        served.ask("GET", f"/made-up/{number}")
    text = served.ask("GET", "/metrics").body.decode()
    assert "METHOD" not in text
    assert "made-up" not in text


# Live views


def live_address(served: Served) -> str:
    return f"ws://{HOST}:{served.port}/v1/live"


def noisy_frame() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (700, 1000), dtype=np.uint8)
    return pillow(pixels, "JPEG")


def test_a_view_that_reads_nothing_is_given_up(served: Served) -> None:
    frame = noisy_frame()
    with (
        narrow(served.port) as connection,
        connect(live_address(served), sock=connection, max_queue=1, close_timeout=0.1) as view,
    ):
        deadline = time.monotonic() + 20
        with suppress(ConnectionClosed):
            while time.monotonic() < deadline:
                view.send(frame)
                time.sleep(0.02)
        assert time.monotonic() < deadline
    eventually(lambda: served.state.live == 0 and served.connections == 0)


@pytest.mark.parametrize("text", ["", "[]", "{", 20_000 * "[", '{"strength": NaN}', "1" * 10_000])
def test_options_that_make_no_sense_end_a_view_with_a_word(served: Served, text: str) -> None:
    with connect(live_address(served)) as view:
        view.send(text)
        with pytest.raises(ConnectionClosed) as closed:
            view.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1003
    assert closed.value.rcvd.reason
    eventually(lambda: served.state.live == 0)


# Turns


def test_gate_turns_away_what_is_too_much_and_waits_not_for_ever() -> None:
    limits = replace(Limits(), waiting=2, wait_s=0.3)

    async def crowd() -> list[object]:
        gate, go_on = Gate(1, limits), threading.Event()
        tasks = [asyncio.create_task(gate.run(go_on.wait, 5)) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert (gate.working, gate.waiting) == (1, 2)
        early = [task for task in tasks if task.done()]
        assert len(early) == 2
        await asyncio.sleep(0.5)
        assert gate.waiting == 0
        go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert await gate.run(lambda: 7) == 7
        assert (gate.working, gate.waiting) == (0, 0)
        gate.close()
        return list(found)

    found = asyncio.run(crowd())
    assert found.count(True) == 1
    for problem in found:
        if problem is not True:
            assert isinstance(problem, Problem)
            assert problem.status_code == 503
            assert problem.headers == {"Retry-After": "5"}


def test_gate_keeps_the_order_and_the_place_of_those_who_left() -> None:
    async def crowd() -> list[int]:
        gate, order = Gate(1, Limits()), list[int]()

        def work(number: int) -> None:
            time.sleep(0.02)
            order.append(number)

        tasks = [asyncio.create_task(gate.run(work, number)) for number in range(8)]
        await asyncio.sleep(0.01)
        tasks[0].cancel()  # in work: it still holds its place
        tasks[3].cancel()  # waiting: it never begins
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)
        assert (gate.working, gate.waiting) == (0, 0)
        gate.close()
        return order

    assert asyncio.run(crowd()) == [0, 1, 2, 4, 5, 6, 7]


def test_nobody_is_worked_for_who_has_gone(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = list[int](), threading.Event()

    def work(*_: object) -> None:
        begun.append(1)
        go_on.wait(5)
        raise UsageError("Enough.")

    monkeypatch.setattr(pictures, "colorized", work)
    body, kind = form(Part("file", b"x", "a.jpg"))
    request = f"POST /v1/colorize HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n".encode()
    request += f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    gate = served.state.gate
    with ExitStack() as stack:
        for _ in range(TIGHT.connections - 2):
            stack.enter_context(served.connected()).sendall(request)
        eventually(lambda: gate.waiting + gate.working == TIGHT.connections - 2)
        at_once = gate.working
        assert gate.waiting > 0
    eventually(lambda: served.connections == 0)
    go_on.set()
    eventually(lambda: gate.waiting + gate.working == 0)
    assert len(begun) == at_once


# Settings


def test_limits_are_set_by_name() -> None:
    limits = Limits().changed(("waiting=3", "wait_s=1.5"))
    assert (limits.waiting, limits.wait_s) == (3, 1.5)
    for wrong in ("nothing=1", "waiting=many", "waiting=0", "wait_s=nan", "wait_s=-1", "waiting"):
        with pytest.raises(UsageError):
            Limits().changed((wrong,))


@pytest.mark.parametrize(
    ("arguments", "warned"),
    [
        ([], False),
        (["--host", "localhost"], False),
        (["--host", "0.0.0.0"], True),
        (["--host", "::"], True),
        (["--host", "127.0.0.2"], True),
        (["--host", "0.0.0.0", "--api-key-file", "keys"], False),
    ],
)
def test_it_listens_on_loopback_and_warns_elsewhere(
    here: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], warned: bool
) -> None:
    (here / "keys").write_text(f"# ours\n{KEY}\n")
    started: list[Settings] = []
    monkeypatch.setattr(run, "serve", lambda settings, *_: started.append(settings))
    shown = CliRunner().invoke(serve_command, ["--port", "0", *arguments], obj=None)
    assert shown.exit_code == 0, shown.output
    assert ("Warning" in shown.output) == warned
    assert started[0].is_local == (not arguments or "localhost" in arguments)
    assert bool(started[0].names) == started[0].is_local


def test_settings_are_safe_by_default(tmp_path: Path) -> None:
    settings = Settings(Path("data"))
    assert settings.host == "127.0.0.1"
    assert not settings.origins
    config = run.server(replace(settings, data=tmp_path)).config
    assert config.limit_concurrency == settings.limits.connections
