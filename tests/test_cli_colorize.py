"""``tintype colorize``: what it writes, what it says where, and how it goes on after a stop."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from conftest import GreyWriter, files
from tintype.cli import colorize as command_module
from tintype.cli import main
from tintype.cli.colorize import colorize as command
from tintype.errors import UsageError
from tintype.options import Hint, Options

JSON_KEYS = [
    *("source", "target", "status", "message"),
    *("height", "width", "pages", "tone", "model", "notes", "seconds"),
    *("confidence", "confidence_picture"),
]

Colorize = Callable[..., int]


@pytest.fixture
def colorize(tiny_model: Path) -> Colorize:
    def run(*args: str) -> int:
        return main(["colorize", "--model", str(tiny_model), *args])

    return run


def mean_chroma(path: Path) -> float:
    rgb = np.asarray(Image.open(path).convert("RGB")).astype(float)
    return float(np.ptp(rgb, axis=-1).mean())


def test_single_file_tells_where_the_result_is(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.jpg")
    assert colorize("a.jpg") == 0
    said = capfd.readouterr()
    assert said.out == "a-color.jpg\n"
    assert said.err == ""
    assert colorize("a.jpg") == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == "0 colorized, 1 already done.\n"


def test_folder_with_a_summary(
    here: Path,
    colorize: Colorize,
    write_grey: GreyWriter,
    write_colour: GreyWriter,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_grey(here / "in/a.jpg")
    write_grey(here / "in/deep/er/b.TIFF")
    write_colour(here / "in/garden.png")
    (here / "in/empty.png").touch()
    (here / "in/notes.txt").touch()
    assert colorize("in", "gone.jpg", "-o", "out") == 1
    said = capfd.readouterr()
    assert sorted(said.out.splitlines()) == ["out/a.jpg", "out/deep/er/b.TIFF"]
    *told, summary = said.err.splitlines()
    assert summary == "2 colorized, 1 skipped, 2 failed (passed over: 1 of other kinds)."
    assert [any(name in line for line in told) for name in ("garden.png", "empty.png", "gone.jpg")]
    assert len(told) == 3
    assert files(here / "out") == {"a.jpg", "deep/er/b.TIFF"}


def test_json_has_the_same_keys_for_all(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(b"two\nlines \xe9.png")
    write_grey(here / "a.jpg", 48, 64)
    write_grey(here / odd)
    (here / "empty.png").touch()
    assert colorize("--json", "a.jpg", odd, "empty.png", "gone.png", "b-color.png") == 1
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert all(list(line) == JSON_KEYS for line in lines)
    by_source = {line["source"]: line for line in lines}
    assert {name: line["status"] for name, line in by_source.items()} == {
        "a.jpg": "done",
        odd: "done",
        "empty.png": "failed",
        "gone.png": "failed",
        "b-color.png": "failed",
    }
    assert by_source["empty.png"]["target"] is None
    done = by_source["a.jpg"]
    assert (done["height"], done["width"], done["pages"]) == (48, 64, 1)
    assert (done["target"], done["tone"], done["message"]) == ("a-color.jpg", "grey", None)


def test_names_with_leading_dashes_and_brackets(
    here: Path, colorize: Colorize, write_grey: GreyWriter
) -> None:
    names = ["--json.png", "a[page=2].png", "%s.jpg", "*.tif", "x .webp", "дом,1.jpg"]
    for name in names:
        write_grey(here / name)
    assert colorize("--", *names) == 0
    assert {f"{Path(name).stem}-color{Path(name).suffix}" for name in names} < files(here)


def test_result_over_the_original_only_when_asked_twice(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    content = write_grey(here / "a.png").read_bytes()
    assert colorize("a.png", "-o", "a.png") == 2
    assert "would overwrite the original a.png" in capfd.readouterr().err
    assert (here / "a.png").read_bytes() == content
    assert colorize("a.png", "-o", "a.png", "--overwrite") == 0
    assert mean_chroma(here / "a.png") > 5
    assert colorize("a.png") == 0
    assert "left out" in capfd.readouterr().err
    assert files(here) == {"a.png"}
    assert colorize("a.png", "--force") == 0
    assert files(here) == {"a.png", "a-color.png"}


def test_what_no_picture_can_be_done_with_is_said_before_any_work(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    write_grey(here / "b.png")
    for wrong, status, said in (
        (["--reference", "b.png"], 2, "has no colours to lend"),
        (["--reference", "gone.png"], 1, "gone.png cannot be read"),
        (["--variant", "2"], 2, "knows one colouring only"),
        (["--hint", "3,3,#ff0000"], 2, "takes no colour hints"),
    ):
        assert colorize("a.png", "b.png", *wrong) == status, wrong
        told = capfd.readouterr().err
        assert said in told
        assert told.count("\n") == 1
    assert files(here) == {"a.png", "b.png"}


def test_existing_file_needs_overwrite(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    (here / "b.png").write_bytes(b"precious")
    assert colorize("a.png", "-o", "b.png") == 1
    assert "--overwrite replaces it" in capfd.readouterr().err
    assert (here / "b.png").read_bytes() == b"precious"
    assert colorize("a.png", "-o", "b.png", "--overwrite") == 0
    assert mean_chroma(here / "b.png") > 5


def test_colliding_results_stop_before_any_work(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "A/x.jpg")
    write_grey(here / "B/x.jpg")
    assert colorize("A/x.jpg", "B/x.jpg", "-o", "out") == 2
    assert capfd.readouterr().err.count("\n") == 1
    assert files(here) == {"A/x.jpg", "B/x.jpg"}


def test_options_reach_the_engine(here: Path, colorize: Colorize, write_grey: GreyWriter) -> None:
    write_grey(here / "a.png")
    chroma = {}
    for strength in ("0", "0.5", "1"):
        assert colorize("a.png", "-o", f"{strength}.png", "--strength", strength) == 0
        chroma[strength] = mean_chroma(here / f"{strength}.png")
    assert chroma["0"] < 1 < chroma["0.5"] < 0.8 * chroma["1"]
    assert b"compositeWithTrainedAlgorithmicMedia" in (here / "1.png").read_bytes()
    assert colorize("a.png", "-o", "n.png", "--no-mark") == 0
    assert b"compositeWithTrainedAlgorithmicMedia" not in (here / "n.png").read_bytes()
    write_grey(here / "b.jpg", 300, 300)
    for quality in ("10", "95"):
        assert colorize("b.jpg", "-o", f"{quality}.jpg", "--quality", quality) == 0
    assert (here / "10.jpg").stat().st_size < 0.7 * (here / "95.jpg").stat().st_size


def test_hints(here: Path, tiny_guided_model: Path, write_grey: GreyWriter) -> None:
    write_grey(here / "a.png", 64, 64)
    model = ["colorize", "--model", str(tiny_guided_model), "a.png", "-o"]
    assert main([*model, "plain.png"]) == 0
    assert main([*model, "h.png", "--hint", "8,8,#ff0000,6", "--hint", "50,50,#0000ff,6"]) == 0
    plain, hinted = (np.asarray(Image.open(here / f)).astype(int) for f in ("plain.png", "h.png"))
    assert (hinted[8, 8] - plain[8, 8])[0] > 20
    assert (hinted[50, 50] - plain[50, 50])[2] > 20


def test_hints_for_a_model_that_takes_none(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    assert colorize("a.png", "--hint", "1,2,#ff0000") != 0
    assert "hint" in capfd.readouterr().err
    assert files(here) == {"a.png"}


def test_hint_as_it_is_written() -> None:
    assert Hint.parse("1, 2.5,#00ff7f") == Hint(1, 2.5, "#00ff7f")
    assert Hint.parse("1,2,#00ff7f,9") == Hint(1, 2, "#00ff7f", 9)
    for text in ("", "1,2", "1,2,#ff0000,3,4", "one,2,#ff0000", "1,2,#ff0000,", "1,2,red"):
        with pytest.raises(UsageError):
            Hint.parse(text)


def test_every_field_of_options_is_an_option_with_its_help() -> None:
    shown = click.Context(command, info_name="colorize").get_help()
    derived = {param.name: param for param in command.params}
    for field in fields(Options):
        assert derived[field.name].help, field.name
        several = field.name in ("hints", "references")
        singular = field.name.removesuffix("s") if several else field.name
        assert singular.replace("_", "-") in shown


@pytest.mark.parametrize(
    "wrong", [["--strength", "3"], ["--quality", "0"], ["--jobs", "0"], ["--device", "abacus"]]
)
def test_values_out_of_range(
    here: Path,
    colorize: Colorize,
    write_grey: GreyWriter,
    capfd: pytest.CaptureFixture[str],
    wrong: list[str],
) -> None:
    write_grey(here / "a.png")
    assert colorize("a.png", *wrong) == 2
    error = capfd.readouterr().err
    assert wrong[1] in error
    assert error.count("\n") == 1


def test_unknown_model(
    here: Path, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    assert main(["colorize", "a.png", "--model", "tintyp"]) == 1
    assert "tintype" in capfd.readouterr().err


def test_quoted_pattern(here: Path, colorize: Colorize, write_grey: GreyWriter) -> None:
    write_grey(here / "in/a.png")
    write_grey(here / "in/b.jpg")
    assert colorize("in/*.png") == 0
    assert files(here / "in") == {"a.png", "b.jpg", "a-color.png"}


def test_empty_folder_is_well(
    here: Path, colorize: Colorize, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "in").mkdir()
    assert colorize("in") == 0
    assert capfd.readouterr().err == "0 colorized.\n"


def test_unexpected_error_is_a_sentence(
    here: Path,
    colorize: Colorize,
    write_grey: GreyWriter,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Odd.")

    monkeypatch.setattr("tintype.engine.Colorizer.colorize_file", fail)
    write_grey(here / "a.png")
    assert colorize("a.png") == 1
    error = capfd.readouterr().err
    assert error == "a.png: unexpected RuntimeError: Odd; --verbose shows where.\n"
    assert colorize("a.png", "-v") == 1
    assert "Traceback" in capfd.readouterr().err


def test_output_folder_that_cannot_be_made(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    (here / "file").touch()
    assert colorize("a.png", "-o", "file/out/") == 1
    error = capfd.readouterr().err
    assert "file/out" in error
    assert error.count("\n") == 1


def test_a_picture_is_not_sent_to_a_terminal(
    here: Path,
    colorize: Colorize,
    write_grey: GreyWriter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_grey(here / "a.png")
    monkeypatch.setattr(command_module.sys.stdout, "isatty", lambda: True)
    assert colorize("a.png", "-o", "-") == 2


def test_confidence_beside_each_result(
    here: Path,
    tiny_sure_model: Path,
    write_grey: GreyWriter,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_grey(here / "in/a.jpg", 48, 64)
    write_grey(here / "in/deep/b.png")
    command = ["colorize", "in", "--model", str(tiny_sure_model), "--json"]
    assert main([*command, "--confidence"]) == 0
    beside = {"in/a-color-confidence.png", "in/deep/b-color-confidence.png"}
    made = {"in/a-color.jpg", "in/deep/b-color.png", *beside}
    assert files(here) == {"in/a.jpg", "in/deep/b.png"} | made
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {line["confidence_picture"] for line in lines} == beside
    assert all(0.3 < line["confidence"] < 0.7 for line in lines)
    with Image.open(here / "in/a-color-confidence.png") as shown:
        assert (shown.mode, shown.size) == ("L", (64, 48))
    for again, status in (([], "current"), (["--confidence"], "current")):
        assert main([*command, *again]) == 0
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert [line["status"] for line in lines] == [status] * 2
        assert all((line["confidence_picture"] is None) != bool(again) for line in lines)


@pytest.mark.parametrize("args", [["-"], ["-", "-o", "b.png"], ["a.png", "-o", "-"], ["film.mp4"]])
def test_confidence_fits_neither_pipes_nor_films(
    here: Path,
    tiny_sure_model: Path,
    write_grey: GreyWriter,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
) -> None:
    picture = write_grey(here / "a.png").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(picture)))
    assert main(["colorize", "--model", str(tiny_sure_model), *args, "--confidence"]) == 2
    error = capfd.readouterr().err
    assert "--confidence" in error
    assert error.count("\n") == 1
    assert files(here) == {"a.png"}


def test_confidence_of_a_model_that_gives_none(
    here: Path, colorize: Colorize, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    assert colorize("a.png", "--confidence") == 2
    assert "does not say how sure it is" in capfd.readouterr().err
    assert files(here) == {"a.png"}
