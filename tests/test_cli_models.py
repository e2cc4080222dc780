"""``tintype models``: list, show (also the layers), fetch, verify."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
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
    assert main(["models", "verify"]) == 0  # what is here
    assert capfd.readouterr().out == "good: ok\n"
    zoo.find("bad").path.write_bytes(b"something")
    assert main(["models", "verify"]) == 1
    said = capfd.readouterr()
    assert (said.out, said.err.split()[0]) == ("good: ok\n", "bad:")


def add_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """One network that its authors published, and one that nobody has yet."""
    good = zoo.find("good")
    theirs = replace(
        good,
        name="theirs",
        sha256="",
        url=None,
        checkpoint="https://example.org/x-01234567.pth",
        architecture="eccv16",
        options=(("width", 4), ("released_mean", True)),
        seen=("ImageNet", "COCO"),
    )
    ours = replace(good, name="ours", url=None)
    monkeypatch.setattr(zoo, "_RECORDS", (good, theirs, ours))


def test_what_is_not_here_is_listed_and_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    add_others(monkeypatch)
    assert main(["models", "list"]) == 0
    lines = capfd.readouterr().out.splitlines()[1:]
    assert [(line.split()[0], line.split()[4]) for line in lines] == [
        ("good", "no"),
        ("theirs", "no"),
        ("ours", "no"),
    ]
    shown = {}
    for name in ("theirs", "ours"):
        assert main(["models", "show", name]) == 0
        lines = capfd.readouterr().out.splitlines()
        shown[name] = {
            key.strip(): value.strip() for key, value in (x.split(":", 1) for x in lines)
        }
    assert "sha256" not in shown["theirs"]
    assert shown["theirs"]["options"] == "width=4, released_mean=True"
    assert shown["theirs"]["seen"] == "ImageNet, COCO"
    assert shown["theirs"]["here"] == "no"
    assert shown["theirs"]["to get it"].startswith("run tintype models fetch theirs, which conv")
    assert "not been published" in shown["ours"]["to get it"]
    assert main(["models", "show", "theirs", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["options"] == {"width": 4, "released_mean": True}
    assert (told["here"], told["sha256"]) == (False, "")


def test_fetch_without_a_name_takes_what_comes_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    add_others(monkeypatch)
    assert main(["models", "fetch"]) == 0
    said = capfd.readouterr()
    assert said.out == f"{zoo.find('good').path}\n"
    assert said.err == "Left out: theirs, ours; tintype models show NAME says why.\n"
    assert main(["models", "fetch", "ours"]) == 1
    assert "workshop/weights/ours.onnx" in capfd.readouterr().err
    assert main(["models", "verify"]) == 0
    assert capfd.readouterr().out == "good: ok\n"
    assert main(["models", "verify", "theirs"]) == 1
    assert "run tintype models fetch theirs" in capfd.readouterr().err


def test_a_missing_shipped_file_is_never_passed_over(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = replace(zoo.find("good"), url=None, file="gone.onnx")
    monkeypatch.setattr(zoo, "_RECORDS", (gone,))
    for command in ("fetch", "verify"):
        assert main(["models", command]) == 1
        assert "install Tintype again" in capfd.readouterr().err


def test_layers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    add_others(monkeypatch)
    assert main(["models", "show", "theirs", "--layers", "--size", "64"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["LAYER", "KIND", "OUTPUT", "PARAMETERS", "TRAINABLE", "OTHER"]
    assert lines[1].split() == ["model1.0", "Conv2d", "4×64×64", "40", "40", "0"]
    assert len({len(line) for line in lines[:-1]}) == 1  # numbers end where they should
    assert lines[-2].split()[0] == "total"
    assert "GMAC at 64×64" in lines[-1]
    assert "model_out" in [line.split()[0] for line in lines]
    assert main(["models", "show", "theirs", "--layers", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["architecture"], told["size"]) == ("eccv16", 256)
    assert told["options"] == {"width": 4, "released_mean": True}
    first = told["layers"][0]
    assert (first["name"], first["output"], first["parameters"]) == ("model1.0", [4, 256, 256], 40)
    assert told["parameters"] == told["trainable"] + told["other"]
    assert told["trainable"] == sum(layer["trainable"] for layer in told["layers"])
    assert told["macs"] > 0


def test_layers_of_an_architecture(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(["models", "show", "eccv16", "--layers", "--markdown"]) == 0
    out = capfd.readouterr().out
    assert out.startswith("| layer | kind |")
    assert "**32,236,011**" in out
    assert "41.77 GMAC at 256×256" in out
    assert main(["models", "show", "nonsense", "--layers"]) == 1
    assert 'no model or architecture "nonsense"; known are ' in capfd.readouterr().err
    assert main(["models", "show", "good", "--layers"]) == 1
    assert "Nobody recorded" in capfd.readouterr().err
    assert main(["models", "show", "eccv16", "--layers", "--size", "100"]) == 2
    assert "multiple of 8" in capfd.readouterr().err


@pytest.mark.parametrize(
    "options", [["--size", "64"], ["--markdown"], ["--layers", "--markdown", "--json"]]
)
def test_options_that_do_not_belong_together(
    capfd: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["models", "show", "good", *options]) == 2
    assert capfd.readouterr().out == ""


def test_layers_without_torch(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "tintype.models", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)  # type: ignore[arg-type]
    assert main(["models", "show", "eccv16", "--layers"]) == 1
    assert 'Showing layers needs an optional package: pip install "tintype[train]"' in (
        capfd.readouterr().err
    )
