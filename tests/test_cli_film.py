"""``tintype colorize`` with films."""

from __future__ import annotations

from pathlib import Path

import pytest

import film_samples as samples
from tintype.cli import main
from tintype.video.names import is_film, target_of
from tintype.video.probe import Film


def run(*arguments: object) -> int:
    return main(["colorize", *map(str, arguments), "--device", "cpu"])


def test_a_film_beside_its_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write_film(tmp_path / "old.mp4", 5, codec="libx264", sound=True)
    assert run(source, "--working-size", 64, "--crf", 30) == 0
    target = tmp_path / "old-color.mp4"
    said = capsys.readouterr()
    assert said.out.strip() == str(target)
    assert Film.probe(target).frames == 5
    before = target.stat().st_mtime_ns
    assert run(source, "--working-size", 64) == 0
    assert "exists; --overwrite" in capsys.readouterr().err
    assert target.stat().st_mtime_ns == before


def test_several_films_into_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["a.mkv", "b.mkv"]
    for name in names:
        samples.write_film(tmp_path / name, 3)
    broken = tmp_path / "c.mkv"
    broken.write_bytes(b"no film")
    sources = [tmp_path / name for name in names]
    assert run(*sources, broken, "-o", tmp_path / "out", "--working-size", 64) == 1
    said = capsys.readouterr()
    assert said.out.split() == [str(tmp_path / "out" / name) for name in names]
    assert "c.mkv cannot be opened as a film" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x.png", "--steady", "0.5"], "--steady is for films"),
        (["x.png", "y.mp4"], "runs of their own"),
        (["x.mp4", "y.mp4", "-o", "one.mp4"], "give -o a folder"),
        (["x.mp4", "--steady", "2"], "--steady"),
        (["x.mp4", "--hint", "1,1,#ff0000"], "films take --reference"),
        (["x.mp4", "--json"], "are for pictures"),
        (["x.mp4", "--jobs", "2"], "are for pictures"),
        (["missing.mp4"], "missing.mp4 cannot be opened as a film: No such file"),
    ],
)
def test_what_makes_no_sense_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) in (1, 2)
    assert message in capsys.readouterr().err


def test_options_of_the_other_kind_of_output_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3)
    assert run(source, "--quality", 50) == 1
    assert "the quality of a film is --crf" in capsys.readouterr().err
    assert run(source, "-o", tmp_path / "f_%04d.png", "--codec", "ffv1") == 1
    assert "not for numbered pictures" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"a.mkv"}


def test_a_film_does_not_replace_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = samples.write_film(tmp_path / "a.mkv", 3)
    content = source.read_bytes()
    assert run(source, "-o", source, "--overwrite") == 1
    assert "would replace its own original" in capsys.readouterr().err
    assert source.read_bytes() == content


NAMES = {"a.MP4": True, "a.jpg": False, "rtsp://camera/1": True, "C:/a.png": False, "-": False}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_films_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_film(name) == expected


def test_results_are_named(tmp_path: Path) -> None:
    source = Path("films/a.wmv")
    assert target_of(source, None, None) == Path("films/a-color.mkv")
    assert target_of(source, None, "-x") == Path("films/a-x.mkv")
    assert target_of(Path("a.mov"), str(tmp_path), None) == tmp_path / "a.mov"
    assert target_of(Path("a.mov"), "b.mp4", None) == Path("b.mp4")
