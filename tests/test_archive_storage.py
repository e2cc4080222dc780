"""Object storage through a real server that speaks S3, well and badly."""

from __future__ import annotations

import itertools
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from archive_samples import order_for, retry, rows_of, run
from conftest import GreyWriter
from tintype.archive import buckets, lease, patience
from tintype.archive.places import place_of
from tintype.errors import UnwritableImage, UsageError

moto_server = pytest.importorskip("moto.server")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Faults:
    """What goes wrong, by a part of the address; how often yet.

    Attributes:
        fails: answers 503.
        stalls: seconds before an answer.
        cuts: answers with half of the body and the whole length announced.
        calls: every request, as "METHOD path".
    """

    fails: dict[str, int] = field(default_factory=dict)
    stalls: dict[str, float] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def around(self, app: App) -> App:
        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
            self.calls.append(f"{method} {path}")
            if method in ("GET", "PUT") and self._due(self.fails, path):
                start("503 Slow Down", [("Content-Length", "0")])
                return []
            if wait := next((s for part, s in self.stalls.items() if part in path), 0):
                time.sleep(wait)
            body = app(environ, start)
            if method == "GET" and self._due(self.cuts, path):
                whole = b"".join(body)
                return [whole[: len(whole) // 2]]
            return body

        return answer

    def _due(self, faults: dict[str, int], path: str) -> bool:
        part = next((part for part, left in faults.items() if part in path and left), None)
        if part is not None:
            faults[part] -= 1
        return part is not None

    def gets(self, part: str) -> int:
        return sum(call.startswith("GET") and part in call for call in self.calls)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Faults]]:
    """The address of the server, and what may go wrong with it."""
    from moto.server import DomainDispatcherApplication, create_backend_app

    faults = Faults()
    app = faults.around(DomainDispatcherApplication(create_backend_app))
    httpd = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"127.0.0.1:{httpd.server_port}", faults
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def faults(server: tuple[str, Faults], monkeypatch: pytest.MonkeyPatch) -> Faults:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(patience, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(buckets, "_SETTLE_S", 0.2)
    server[1].fails, server[1].stalls, server[1].cuts = {}, {}, {}
    server[1].calls.clear()
    return server[1]


@pytest.fixture
def address(server: tuple[str, Faults], faults: Faults, request: pytest.FixtureRequest) -> Address:
    from pyarrow import fs

    bucket = "b" + str(abs(hash(request.node.name)))[:12]
    made = fs.S3FileSystem(
        endpoint_override=server[0], scheme="http", allow_bucket_creation=True, region="us-east-1"
    )
    made.create_dir(bucket)
    return lambda key: f"s3://{bucket}/{key}?endpoint_override={server[0]}&scheme=http"


Address = Callable[[str], str]


@pytest.fixture
def scans(address: Address, tmp_path: Path, write_grey: GreyWriter) -> str:
    """A bucket with four scans, one with a blank and an umlaut in its name."""
    place = place_of(address("scans"))
    for number, name in enumerate(("a.jpg", "b.jpg", "box 1/größe.jpg", "box 1/d.png")):
        path = write_grey(tmp_path / f"local{Path(name).suffix}", seed=number)
        place.write(name, path.read_bytes())
    place.write("notes.txt", b"no picture")
    return address("scans")


def test_from_bucket_to_bucket(
    scans: str, address: Address, tiny_model: Path, faults: Faults
) -> None:
    order = order_for(scans, address("out"), tiny_model)
    tally = run(order).tally
    assert (tally.done, tally.failed) == (4, 0)
    rows = rows_of(address("out"))
    assert set(rows) == {"a.jpg", "b.jpg", "box 1/größe.jpg", "box 1/d.png"}
    out = place_of(address("out"))
    for key, row in rows.items():
        assert row["result"] == key
        assert len(out.read(key)) == row["result_bytes"]
    assert run(order).tally.done == 0
    place_of(scans).write("a.jpg", place_of(scans).read("b.jpg") + b"\0")
    out.remove("b.jpg")
    assert run(order).tally.done == 2
    assert not any(call.startswith("POST") for call in faults.calls)


def test_a_bucket_below_the_source_is_not_listed(
    scans: str, address: Address, tiny_model: Path
) -> None:
    order = order_for(scans, address("scans/done"), tiny_model)
    assert run(order).tally.done == 4
    assert run(order).tally.done == 0
    with pytest.raises(UsageError, match="could replace originals"):
        run(order_for(address("scans/done"), address("scans"), tiny_model))


def test_errors_slow_answers_and_cut_ones_are_asked_again(
    scans: str, address: Address, tiny_model: Path, faults: Faults
) -> None:
    faults.fails = {"scans/a.jpg": 2, "out/b.jpg": 2}
    faults.cuts = {"scans/b.jpg": 2}
    faults.stalls = {"d.png": 1.0}
    tally = run(order_for(scans, address("out"), tiny_model)).tally
    assert (tally.done, tally.failed) == (4, 0)
    assert not any(faults.fails.values())
    assert not any(faults.cuts.values())
    assert faults.gets("scans/b.jpg") >= 3
    out = place_of(address("out"))
    for key, row in rows_of(address("out")).items():
        assert len(out.read(key)) == row["result_bytes"]


def test_what_stays_broken_is_an_error_and_never_a_result(
    scans: str, address: Address, tiny_model: Path, faults: Faults
) -> None:
    faults.fails = {"scans/a.jpg": 10**6, "out/d.png": 0}
    faults.cuts = {"scans/b.jpg": 10**6}
    order = order_for(scans, address("out"), tiny_model)
    tally = run(order).tally
    assert (tally.done, tally.failed) == (4, 2)
    rows = rows_of(address("out"))
    for name in ("a.jpg", "b.jpg"):
        assert rows[name]["error_kind"] == "storage"
        assert rows[name]["result"] is None
        assert str(rows[name]["error"]).startswith("It could not be read: ")
        assert place_of(address("out")).find(name) is None
    faults.fails, faults.cuts = {}, {}
    assert retry(order).tally.done == 2
    assert all(row["error"] is None for row in rows_of(address("out")).values())


def test_a_result_that_cannot_be_written_is_an_error(
    scans: str, address: Address, tiny_model: Path, faults: Faults
) -> None:
    faults.fails = {"out/a.jpg": 10**6}
    tally = run(order_for(scans, address("out"), tiny_model)).tally
    assert (tally.done, tally.failed) == (4, 1)
    row = rows_of(address("out"))["a.jpg"]
    assert (row["error_kind"], row["result"]) == ("storage", None)


def test_two_runs_on_one_bucket_are_told_apart(address: Address, faults: Faults) -> None:
    place = place_of(address("out"))
    won, lost, gate = [], [], threading.Barrier(2)

    def try_it(name: str) -> None:
        gate.wait()
        try:
            with lease.held(place_of(address("out")), name) as held:
                won.append(name)
                time.sleep(1)
                held.check()
        except UnwritableImage:
            lost.append(name)

    threads = [threading.Thread(target=try_it, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 1)
    assert lease.read(place) is None


def test_a_list_names_other_buckets(
    scans: str, address: Address, tiny_model: Path, tmp_path: Path
) -> None:
    bucket = scans.partition("?")[0].removesuffix("/scans")
    text = f"path,id\n{bucket}/scans/a.jpg,one\nscans/box 1/größe.jpg,two\n{bucket}/scans/no.jpg,\n"
    place_of(address("")).write("list.csv", text.encode())
    run(order_for(address("list.csv"), address("out"), tiny_model))
    rows = rows_of(address("out"))
    missing = f"{bucket}/scans/no.jpg"
    assert set(rows) == {"one", "two", missing}
    assert rows["one"]["result"] == bucket.removeprefix("s3://") + "/scans/a.jpg"
    assert rows["two"]["error"] is None
    assert rows[missing]["error_kind"] == "missing"


def test_two_slashes_in_a_key_end(scans: str, address: Address, faults: Faults) -> None:
    endpoint = scans.partition("endpoint_override=")[2].partition("&")[0]
    bucket = scans.partition("://")[2].partition("/")[0]
    url = f"http://{endpoint}/{bucket}/scans/box%201//deep.jpg"
    urllib.request.urlopen(urllib.request.Request(url, b"a", method="PUT"), timeout=20)
    found = [each.key for each in itertools.islice(place_of(scans).walk(None), 20)]
    assert sorted(found) == [
        "a.jpg",
        "b.jpg",
        "box 1//",
        "box 1/d.png",
        "box 1/größe.jpg",
        "notes.txt",
    ]


@pytest.mark.parametrize(
    "bad", ["ftp://host/x", "s3://", "s3://b/x?nonsense=1", "s3://KEY:SECRET@b/x"]
)
def test_addresses_that_make_no_sense(bad: str) -> None:
    with pytest.raises(UsageError):
        place_of(bad).find("x")
