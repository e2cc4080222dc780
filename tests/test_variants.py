"""Variants lean where the network is unsure, the same way for the same number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import GreyWriter, files, grey_pixels
from tintype.cli import main
from tintype.engine import Colorizer, Options
from tintype.engine.variants import lean_of
from tintype.errors import UsageError


def test_a_number_is_a_direction() -> None:
    assert lean_of(0) is None
    leans = np.array([lean_of(number) for number in range(1, 13)])
    np.testing.assert_array_equal(leans[4], lean_of(5))
    lengths = np.hypot(*leans.T)
    assert np.ptp(lengths) < 1e-6
    angles = np.sort(np.arctan2(*leans.T))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    assert gaps.max() < 3 * gaps.min()


def test_the_engine_leans(tiny_leaning_model: Path) -> None:
    colorizer = Colorizer.load(tiny_leaning_model)
    assert colorizer.has_variants
    L = np.full((1, 1, 64, 64), 50, np.float32)
    plain = colorizer.predict(L).ab
    lean = lean_of(3)
    assert lean is not None
    leant = colorizer.predict(L, variant=3).ab
    np.testing.assert_allclose(
        leant - plain, np.broadcast_to(1000 * lean[:, None, None], plain.shape), atol=1e-3
    )
    grey = grey_pixels(48, 64)
    likely, other = (colorizer.colorize(grey, Options(variant=number)) for number in (0, 3))
    assert np.abs(likely.astype(int) - other).mean() > 3
    np.testing.assert_array_equal(other, colorizer.colorize(grey, Options(variant=3)))


def test_a_model_without_variants_says_so(tiny_model: Path) -> None:
    colorizer = Colorizer.load(tiny_model)
    assert not colorizer.has_variants
    with pytest.raises(UsageError, match="one colouring only"):
        colorizer.colorize(grey_pixels(48, 64), Options(variant=1))
    for wrong in (-1, 100, 1.5, True):
        with pytest.raises(UsageError, match="variant must be a whole number from 0 to 99"):
            replace(Options(), variant=wrong)  # type: ignore[arg-type]


def test_the_command_makes_several(
    tmp_path: Path, tiny_leaning_model: Path, write_grey: GreyWriter
) -> None:
    write_grey(tmp_path / "a.png")
    how = ["colorize", str(tmp_path), "--model", str(tiny_leaning_model)]
    assert main([*how, "--variants", "3"]) == 0
    made = {"a-color.png", "a-color-variant1.png", "a-color-variant2.png"}
    assert files(tmp_path) == {"a.png", *made}
    pictures = {name: np.asarray(Image.open(tmp_path / name)) for name in made}
    assert len({picture.tobytes() for picture in pictures.values()}) == 3
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in made}
    assert main([*how, "--variants", "3"]) == 0
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in made} == before
    assert main([*how, "--variant", "2"]) == 0
    one = np.asarray(Image.open(tmp_path / "a-color.png"))
    np.testing.assert_array_equal(one, pictures["a-color-variant2.png"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a.png", "--variants", "2", "--variant", "1"], "give one of them"),
        (["a.png", "-o", "-", "--variants", "2"], "does not fit a pipe"),
        (["a.mp4", "--variants", "2"], "a film takes one --variant"),
        (["a.png", "--variants", "2", "--model", "tiny.onnx"], "one colouring only"),
        (["a.png", "--variants", "0"], "1<=x<=100"),
    ],
)
def test_what_does_not_fit(
    given: list[str],
    said: str,
    here: Path,
    tiny_model: Path,
    write_grey: GreyWriter,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_grey(here / "a.png")
    (here / "tiny.onnx").write_bytes(tiny_model.read_bytes())
    assert main(["colorize", *given]) != 0
    assert said in capfd.readouterr().err
    assert files(here) == {"a.png", "tiny.onnx"}
