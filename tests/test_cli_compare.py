"""``tintype compare``: the sheet's columns, rows and captions, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import GreyWriter
from tintype.cli import main
from tintype.cli.sheet import Row, draw_sheet, fit

INK = (40, 40, 40)


def columns(sheet: np.ndarray, tile: int) -> list[np.ndarray]:
    """The pictures of the first row, left to right, by the layout that draw_sheet promises."""
    top, left = 18 + 26, 18
    count = (sheet.shape[1] - 2 * 18 + 10) // (tile + 10)
    return [sheet[top : top + tile, left + i * (tile + 10) :][:, :tile] for i in range(count)]


def chroma(rgb: np.ndarray) -> float:
    return float(np.ptp(rgb.astype(int), axis=-1).mean())


def test_grey_result_original(here: Path, tiny_model: Path, write_grey: GreyWriter) -> None:
    write_grey(here / "a.png", 300, 300)
    Image.new("RGB", (300, 300), (10, 200, 30)).save(here / "true.jpg")
    line = ["compare", "a.png", "--model", str(tiny_model), "--tile", "200"]
    assert main([*line, "-o", "two.png"]) == 0
    grey, result = columns(np.asarray(Image.open(here / "two.png")), 200)
    assert chroma(grey) == 0
    assert chroma(result) > 10
    assert main([*line, "-o", "three.png", "--original", "true.jpg"]) == 0
    *_, original = columns(np.asarray(Image.open(here / "three.png")), 200)
    assert np.abs(original.reshape(-1, 3).mean(0) - (10, 200, 30)).max() < 3


def test_picture_in_colour_is_its_own_original(
    here: Path, tiny_model: Path, write_colour: GreyWriter
) -> None:
    rgb = np.asarray(Image.open(write_colour(here / "a.png", 120, 120))).astype(int)
    assert main(["compare", "a.png", "--model", str(tiny_model), "--tile", "120"]) == 0
    grey, _, original = columns(np.asarray(Image.open(here / "comparison.png")), 120)
    assert chroma(grey) == 0
    assert np.abs(original.astype(int) - rgb).mean() < 3


def test_column_for_each_model_and_row_for_each_picture(
    here: Path, tiny_model: Path, tiny_guided_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(here / "in/a.png", 100, 100)
    write_grey(here / "in/b.tif", 50, 100)
    models = ["--model", str(tiny_model), "--model", str(tiny_guided_model)]
    assert main(["compare", "in", *models, "--tile", "150", "-o", "sheet.jpg"]) == 0
    with Image.open(here / "sheet.jpg") as sheet:
        found = (sheet.format, sheet.size)
    assert found == ("JPEG", (2 * 18 + 3 * 150 + 2 * 10, 2 * 18 + 26 + 150 + 75 + 2 * (26 + 10)))


def test_originals_from_a_folder(here: Path, tiny_model: Path, write_grey: GreyWriter) -> None:
    for name in ("a", "b"):
        write_grey(here / f"in/{name}.png", 90, 90)
    (here / "true").mkdir()
    Image.new("RGB", (90, 90), "red").save(here / "true/b.webp", lossless=True)
    (here / "true/b.aae").write_text("what a telephone keeps beside b.webp")
    line = ["compare", "in", "--model", str(tiny_model), "--tile", "90"]
    assert main([*line, "--original", "true"]) == 0
    sheet = np.asarray(Image.open(here / "comparison.png"))
    red = (np.abs(sheet.astype(int) - (255, 0, 0)).max(-1) < 4).sum()
    assert red == 90 * 90
    assert main([*line, "--original", "true/b.webp", "--overwrite"]) == 1


def test_bad_picture_hurts_no_other(
    here: Path, tiny_model: Path, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    (here / "bad.png").touch()
    assert main(["compare", "a.png", "bad.png", "gone.png", "--model", str(tiny_model)]) == 1
    said = capfd.readouterr()
    assert said.out == "comparison.png\n"
    assert [name in said.err for name in ("bad.png", "gone.png")] == [True, True]
    assert main(["compare", "bad.png", "--model", str(tiny_model), "-o", "none.png"]) == 1
    assert not (here / "none.png").exists()


def test_sheet_replaces_nothing_unasked(
    here: Path, tiny_model: Path, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    content = write_grey(here / "a.png").read_bytes()
    (here / "sheet.png").touch()
    line = ["compare", "a.png", "--model", str(tiny_model), "-o"]
    for output in ("sheet.png", "sheet.gif"):
        assert main([*line, output]) == 2
    assert main([*line, "a.png", "--overwrite"]) == 2
    assert (here / "a.png").read_bytes() == content
    assert capfd.readouterr().err.count("\n") == 3
    assert main([*line, "nowhere/sheet.png"]) == 1
    assert main([*line, "sheet.png", "--overwrite"]) == 0
    assert {path.name for path in here.iterdir()} == {"a.png", "sheet.png"}


def test_the_sheet_of_before_is_no_picture(
    here: Path, tiny_model: Path, write_grey: GreyWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    write_grey(here / "a.png")
    line = ["compare", ".", "--model", str(tiny_model), "-o", "sheet.png"]
    assert main(line) == 0
    content = (here / "sheet.png").read_bytes()
    assert main(line) == 2
    assert "--overwrite replaces it" in capfd.readouterr().err
    assert main([*line, "--overwrite"]) == 0
    assert (here / "sheet.png").read_bytes() == content
    write_grey(here / "a-color.png")
    assert main(["compare", "a-color.png", "--model", str(tiny_model), "-o", "none.png"]) == 1
    assert "a-color.png: left out, for its name ends in -color" in capfd.readouterr().err


def test_captions_are_drawn_and_long_ones_shortened() -> None:
    cell = Image.new("RGB", (60, 40), "white")
    rows = [Row("x" * 300, (40, 60), [cell, None]), Row("", (40, 60), [cell, cell])]
    sheet = np.asarray(draw_sheet(["grey", "a long heading"], rows)).astype(int)
    dark = np.abs(sheet - INK).max(-1) < 60
    assert dark[18:44].any()
    caption = dark[84:110]
    assert caption.any()
    assert not caption[:, -18:].any()
    assert not dark[160:].any()


def test_fit_keeps_the_aspect() -> None:
    assert fit((3000, 2000), 300) == (300, 200)
    assert fit((1, 5000), 100) == (1, 100)
    assert fit((10, 20), 40) == (20, 40)
