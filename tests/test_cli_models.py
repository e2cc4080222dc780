"""``tintype models``: list, show, fetch, verify."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tintype import zoo
from tintype.cli import main


@pytest.fixture(autouse=True)
def records(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two models: one that can be fetched, one whose checksum is wrong."""
    data = tiny_model.read_bytes()
    good = zoo.Weights(
        name="good",
        version="1",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        licence="Apache-2.0",
        summary="Fit for a test.",
        paper="",
        url=tiny_model.as_uri(),
    )
    bad = zoo.Weights(
        name="bad",
        version="2",
        sha256="0" * 64,
        size_bytes=len(data),
        licence="MIT",
        summary="Unfit.",
        paper="A paper.",
        url=tiny_model.as_uri(),
    )
    monkeypatch.setenv("TINTYPE_HOME", str(tmp_path))
    monkeypatch.setattr(zoo, "_RECORDS", (good, bad))


def test_list(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["NAME", "VERSION", "SIZE", "HERE"]
    assert [line.split()[0] for line in lines[1:]] == ["good", "bad"]
    columns = [line.index(word) for line, word in zip(lines[1:], ("Apache", "MIT"), strict=True)]
    assert columns == [lines[0].index("LICENCE")] * 2


def test_list_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    known = json.loads(capfd.readouterr().out)
    assert [(each["name"], each["here"]) for each in known] == [("good", False), ("bad", False)]


def test_show(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "bad"]) == 0
    assert "paper:       A paper.\n" in capfd.readouterr().out
    assert main(["models", "show", "bad", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["sha256"] == "0" * 64
    assert main(["models", "show", "goood"]) == 1
    assert "good" in capfd.readouterr().err


def test_fetch_and_verify(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "good"]) == 1
    assert main(["models", "fetch", "good", "--offline"]) == 1
    assert not (tmp_path / "good-1.onnx").exists()
    assert main(["models", "fetch", "good"]) == 0
    assert (tmp_path / "good-1.onnx").exists()
    assert main(["models", "verify", "good"]) == 0
    out = capfd.readouterr().out
    assert out == f"{tmp_path / 'good-1.onnx'}\ngood: ok\n"


def test_one_bad_model_hurts_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "fetch", "bad", "none", "good"]) == 1
    said = capfd.readouterr()
    assert said.out.endswith("good-1.onnx\n")
    assert [line.split(":")[0] for line in said.err.splitlines()] == ["bad", "none"]
    assert main(["models", "verify"]) == 1
    assert capfd.readouterr().out == "good: ok\n"
