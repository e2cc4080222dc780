"""Lightness through lossy formats: colour costs hardly more than saving the grey picture again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyvips
from skimage import data

from tintype import Colorizer
from tintype.color import rgb_to_lab
from tintype.images import read_image

ALLOWED_MORE = 0.2  # mean |ΔL|


def lightness(rgb: np.ndarray) -> np.ndarray:
    rgb = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, 2)
    return rgb_to_lab(rgb[..., :3] / 255)[..., 0]


def saved(grey: np.ndarray, path: Path, quality: int) -> np.ndarray:
    """Save as the result would be saved, and read back."""
    options = {"Q": quality} | ({"subsample_mode": "off"} if path.suffix == ".jpg" else {})
    pyvips.Image.new_from_array(grey).write_to_file(str(path), **options)
    return pyvips.Image.new_from_file(str(path)).colourspace("srgb").numpy()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
@pytest.mark.parametrize("quality", [75, 92])
def test_colour_costs_little_more_than_saving_grey_again(
    tiny_model: Path, tmp_path: Path, suffix: str, quality: int
) -> None:
    source = tmp_path / f"grey{suffix}"
    first = saved(data.camera(), source, quality)
    own = lightness(first)
    target = tmp_path / f"colour{suffix}"
    Colorizer.load(tiny_model).colorize_file(source, target)
    used = read_image(target).encoding.quality if suffix == ".jpg" else 90
    again = saved(first[..., :3], tmp_path / f"again{suffix}", used)
    grey_cost = np.abs(lightness(again) - own).mean()
    result = pyvips.Image.new_from_file(str(target)).numpy()
    assert np.abs(rgb_to_lab(result[..., :3] / 255)[..., 1:]).max() > 20  # it has colours
    cost = np.abs(lightness(result) - own).mean()
    assert cost <= grey_cost + ALLOWED_MORE
