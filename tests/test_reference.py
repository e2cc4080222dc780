"""A reference lends its colours where it shows the same, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tintype.cli import main
from tintype.color import rgb_to_lab
from tintype.engine import Colorizer, Hint, Options
from tintype.errors import UnreadableImage, UsageError
from tintype.reference import Reference, on_cells, on_grid

SIZE = (96, 128)
GRID = (24, 32)


def fields(flip: bool = False) -> np.ndarray:
    """L (96, 128): dark on the left, light on the right, with a little grain."""
    L = np.where(np.arange(SIZE[1])[None] < 70, 30.0, 70.0) * np.ones(SIZE)
    L = L + np.random.default_rng(2).normal(0, 0.5, SIZE)
    return (L[:, ::-1] if flip else L).astype(np.float32)


def colours(L: np.ndarray) -> np.ndarray:
    """ab that tell dark from light: red and blue."""
    dark = on_cells(L[None])[0] < 50
    return np.stack([np.where(dark, 50, 0), np.where(dark, 30, -40)]).astype(np.float32)


def test_like_takes_from_like_wherever_it_is() -> None:
    L = fields()
    none = np.zeros((2, *GRID), np.float32)
    reference = Reference(L, none, colours(L))
    other = fields(flip=True)
    taken = reference.steer(other, none)
    assert np.abs(taken - colours(other)).mean() < 8


def test_a_difference_of_brightness_does_not_matter() -> None:
    L = fields()
    none = np.zeros((2, *GRID), np.float32)
    taken = Reference(L, none, colours(L)).steer(0.8 * L + 10, none)
    assert np.abs(taken - colours(L)).mean() < 4


def test_what_the_reference_does_not_show_keeps_its_guess() -> None:
    L = fields()
    reference = Reference(L, np.zeros((2, *GRID), np.float32), colours(L))
    green = np.full((2, *GRID), [[[-40.0]], [[40.0]]], np.float32)
    taken = reference.steer(L, green)
    assert taken[0].mean() < -15
    assert taken[1].mean() > 10


def test_strides_meet_on_one_grid() -> None:
    fine = np.arange(2 * 11 * 14, dtype=np.float32).reshape(2, 11, 14)
    assert on_grid(fine, 1, (3, 4)).shape == (2, 3, 4)
    assert on_grid(fine, 1, (3, 4))[0, 0, 0] == fine[0, :4, :4].mean()
    assert (on_grid(fine, 4, (10, 9)) == fine[:, :10, :9]).all()
    assert (on_grid(fine, 8, (20, 20))[:, :2, :2] == fine[:, :1, :1]).all()


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("tintype", "cpu", 1)


def picture(path: Path, colour: bool = True) -> Path:
    """A purple field below a light wall."""
    rng = np.random.default_rng(3)
    rgb = np.empty((90, 120, 3))
    rgb[:40], rgb[40:] = (0.85, 0.85, 0.8), (0.45, 0.15, 0.55)
    rgb = rgb + np.kron(rng.normal(0, 0.03, (18, 24, 1)), np.ones((5, 5, 1)))
    image = Image.fromarray(np.uint8(rgb.clip(0, 1) * 255))
    (image if colour else image.convert("L")).save(path)
    return path


def test_a_file_takes_colours_from_another(colorizer: Colorizer, tmp_path: Path) -> None:
    reference = picture(tmp_path / "other.png")
    grey = np.asarray(Image.open(picture(tmp_path / "grey.png", colour=False)))
    plain = colorizer.colorize(grey)
    steered = colorizer.colorize(grey, Options(references=(str(reference),)))
    true = rgb_to_lab(np.asarray(Image.open(reference)) / 255)
    errors = [np.abs(rgb_to_lab(p / 255) - true)[..., 1:].mean() for p in (steered, plain)]
    assert errors[0] < 0.4 * errors[1]
    again = colorizer.colorize(grey, Options(references=(str(reference),)))
    assert (again == steered).all()


def test_a_hint_is_not_overridden_by_a_reference(colorizer: Colorizer, tmp_path: Path) -> None:
    reference = picture(tmp_path / "other.png")
    grey = np.asarray(Image.open(picture(tmp_path / "grey.png", colour=False)))
    hints = (Hint(60, 65, "#6f8a2e", 12),)
    lent = colorizer.colorize(grey, Options(references=(str(reference),)))
    both = colorizer.colorize(grey, Options(references=(str(reference),), hints=hints))
    wanted = rgb_to_lab(np.array([0x6F, 0x8A, 0x2E]) / 255)[1:]
    place = np.s_[62:69, 57:64]
    away = [np.abs(rgb_to_lab(p[place] / 255)[..., 1:] - wanted).mean() for p in (lent, both)]
    assert away[1] < 0.5 * away[0]


def test_wrong_references_are_said(colorizer: Colorizer, tmp_path: Path) -> None:
    grey = np.asarray(Image.open(picture(tmp_path / "grey.png", colour=False)))
    cases = [
        ((str(tmp_path / "grey.png"),), UsageError, "no colours to lend"),
        ((str(tmp_path / "none.png"),), UnreadableImage, r"none\.png"),
        (("a.png", "b.png"), UsageError, "one reference"),
    ]
    for references, error, message in cases:
        with pytest.raises(error, match=message):
            colorizer.colorize(grey, Options(references=references))
    with pytest.raises(UsageError, match="file names"):
        Options(references=("",))


def test_the_command_takes_a_reference(tmp_path: Path) -> None:
    reference = picture(tmp_path / "other.png")
    source = picture(tmp_path / "grey.png", colour=False)
    target = tmp_path / "out.png"
    order = ["colorize", str(source), "-o", str(target), "--reference", str(reference)]
    assert main([*order, "--device", "cpu"]) == 0
    lower = rgb_to_lab(np.asarray(Image.open(target))[60:] / 255)
    assert lower[..., 1].mean() > 15
    assert lower[..., 2].mean() < -10
