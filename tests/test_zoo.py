from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loopback import CONTENT, Server
from tintype import download as downloading
from tintype import zoo
from tintype.download import Remote, download
from tintype.errors import ChecksumMismatch, ModelNotFound, UsageError
from tintype.zoo import Weights


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
    record = record_at(server.url("tiny.onnx"))
    monkeypatch.setattr(zoo, "_RECORDS", (record,))
    return record


def test_every_record_is_complete() -> None:
    names = [record.name for record in zoo.list_models()]
    assert names[0] == "tintype"
    assert len(set(names)) == len(names)
    for record in zoo._RECORDS:
        sources = [record.file, record.url, record.checkpoint]
        assert sources.count(None) >= 2
        assert all(each.startswith("https://") for each in sources[1:] if each is not None)
        assert record.summary
        assert record.licence
        assert record.size_bytes > 0
        if record.checkpoint is None:
            assert len(record.sha256) == 64
            assert int(record.sha256, 16) >= 0
        else:
            assert record.sha256 == ""  # the receipt knows


@pytest.mark.parametrize(
    ("name", "digits", "paper"),
    [("eccv16-zhang", "9b330a0b", "1603.08511"), ("siggraph17-zhang", "df00044c", "1705.02999")],
)
def test_what_others_published(home: Path, name: str, digits: str, paper: str) -> None:
    record = zoo.find(name)
    assert record.checkpoint is not None
    assert record.checkpoint.endswith(f"-{digits}.pth")
    assert record.licence.startswith("BSD-2-Clause")
    assert paper in record.paper
    assert record.seen == ("ImageNet",)
    assert not record.is_here
    for use in (zoo.graph_file, zoo.verify, zoo.fetch):
        with pytest.raises(ModelNotFound, match=f"run tintype models fetch {name}, which converts"):
            use(name)
    with pytest.raises(ModelNotFound, match="cannot be fetched offline"):
        zoo.fetch(name, offline=True)


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


def test_the_study_s_weights_are_those_of_their_records() -> None:
    folder = Path(__file__).parents[1] / "workshop/weights"
    told = {each.name: each for each in zoo.list_models() if how_it_comes(each) == "by hand"}
    found = {path.stem: path for path in folder.glob("*.onnx")}
    assert told.keys() == found.keys()
    for name, path in found.items():
        assert (zoo.sha256_of(path), path.stat().st_size) == (
            told[name].sha256,
            told[name].size_bytes,
        )
        assert path.stat().st_size <= 12_000_000
    assert sum(path.stat().st_size for path in found.values()) <= 40_000_000


def how_it_comes(record: zoo.Weights) -> str:
    return "by itself" if record.file or record.url or record.checkpoint else "by hand"


def test_what_is_not_published_yet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = record_at(None)
    monkeypatch.setattr(zoo, "_RECORDS", (record,))
    for use in (zoo.fetch, zoo.verify, zoo.graph_file):
        with pytest.raises(
            ModelNotFound, match=r"not been published .*workshop/weights/tiny\.onnx"
        ):
            use("tiny")
    record.path.parent.mkdir()
    record.path.write_bytes(CONTENT)  # put there by hand
    assert zoo.fetch("tiny") == record.path


def test_a_size_that_only_the_server_knows(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    digest = hashlib.sha256(CONTENT).hexdigest()
    remote = Remote("tiny", server.url("x"), digest[:8], "its name")
    server.breaks_after = 1_500_000
    with pytest.raises(ModelNotFound, match=f"ended after 1500000 of {len(CONTENT)} bytes"):
        download(remote, tmp_path / "part")
    server.breaks_after = None
    assert download(remote, tmp_path / "part", lambda *both: told.append(both)) == digest
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert server.ranges == [None, "bytes=1500000-"]
    assert download(remote, tmp_path / "part") == digest  # whole already
    assert len(server.ranges) == 2


def test_a_size_that_nobody_knows(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.says_size = False
    remote = Remote("tiny", server.url("x"), hashlib.sha256(CONTENT).hexdigest(), "its record")
    assert download(remote, tmp_path / "part")
    monkeypatch.setattr(downloading, "_MOST_BYTES", 1000)
    told: list[int] = []
    with pytest.raises(ChecksumMismatch, match="its record says"):
        download(remote, tmp_path / "other", lambda done, _: told.append(done))
    assert max(told) < len(CONTENT)
    assert not (tmp_path / "other").exists()


def converted(record: Weights, **changes: object) -> str:
    kept = {"checkpoint_sha256": "a" * 64, "sha256": record.sha256, "size_bytes": 7}
    return json.dumps(kept | changes)


def test_a_receipt_completes_its_record(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    record = record_at(None, sha256="", checkpoint="https://example.org/x-01234567.pth")
    monkeypatch.setattr(zoo, "_RECORDS", (record,))
    record.path.parent.mkdir()
    record.path.write_bytes(CONTENT)
    assert not zoo.find("tiny").is_here  # nobody knows what the file is
    receipt = record.path.with_suffix(".json")
    receipt.write_text(converted(record, sha256=digest))
    now = zoo.find("tiny")
    assert (now.sha256, now.size_bytes, now.is_here) == (digest, 7, True)
    assert zoo.graph_sha256("tiny") == digest
    assert zoo.graph_file("tiny") == zoo.verify("tiny") == record.path
    record.path.write_bytes(CONTENT[1:])
    with pytest.raises(ChecksumMismatch, match="delete it and run tintype models fetch tiny"):
        zoo.verify("tiny")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", "null", '{"more": 1}'],
)
def test_a_damaged_receipt_is_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    record = record_at(None, sha256="", checkpoint="https://example.org/x-01234567.pth")
    monkeypatch.setattr(zoo, "_RECORDS", (record,))
    record.path.parent.mkdir()
    receipt = record.path.with_suffix(".json")
    receipt.write_text(content)
    assert zoo.find("tiny") == record
    for change in ({"sha256": "x"}, {"sha256": 1}, {"size_bytes": "7"}, {"more": 1}):
        receipt.write_text(converted(record_at(None), **change))
        assert zoo.find("tiny") == record
