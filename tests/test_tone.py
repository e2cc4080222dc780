"""tone.py: grey, toned and coloured pictures are told apart."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.images import classify_tone, read_image

Floats = NDArray[np.float64]
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


def photograph(name: str) -> Floats:
    """A colour photograph at a long side of 256 px, sRGB in [0, 1]."""
    image = Image.fromarray(getattr(data, name)())
    image.thumbnail((256, 256), Image.Resampling.BOX)
    return np.asarray(image) / 255


def toned(name: str, a: Callable[[Floats], Floats], b: Callable[[Floats], Floats]) -> Floats:
    """The photograph's lightness with ab as functions of L / 100."""
    L = rgb_to_lab(photograph(name))[..., :1]
    x = L / 100
    return np.clip(lab_to_rgb(np.concatenate([L, a(x), b(x)], axis=-1)), 0, 1)


def as_jpeg(rgb: Floats, quality: int = 75) -> Floats:
    """Through JPEG with halved chroma."""
    file = io.BytesIO()
    eight = np.rint(rgb * 255).astype(np.uint8)
    Image.fromarray(eight).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file)) / 255


NAMES = ["astronaut", "coffee", "chelsea", "rocket"]
TONES: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "sepia": (lambda x: 6 + 4 * np.sin(3 * x), lambda x: 26 * np.sin(np.pi * x) ** 0.6),
    "cyanotype": (lambda x: -6 * np.sin(np.pi * x), lambda x: -30 * np.sin(np.pi * x)),
    "selenium": (lambda x: 5 * (1 - x), lambda x: -4 * (1 - x) - 1),
    "split tones": (lambda x: 3 - 5 * x, lambda x: -8 + 22 * x),
    "faded": (lambda x: 5 + 0 * x, lambda x: 4 + 12 * x),
}


@pytest.mark.parametrize("name", NAMES)
def test_colour_photographs_are_colour(name: str) -> None:
    assert classify_tone(photograph(name)) == "colour"
    assert classify_tone(as_jpeg(photograph(name))) == "colour"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [100, 75, 30])
def test_grey_photographs_are_grey_through_jpeg(name: str, quality: int) -> None:
    grey = toned(name, lambda x: 0 * x, lambda x: 0 * x)
    assert classify_tone(as_jpeg(grey, quality)) == "grey"


@pytest.mark.parametrize("seed", range(3))
def test_grey_with_chroma_noise_is_grey(seed: int) -> None:
    grey = toned("chelsea", lambda x: 0 * x, lambda x: 0 * x)
    noise = np.random.default_rng(seed).normal(0, 0.01, grey.shape)
    assert classify_tone(np.clip(grey + noise, 0, 1)) == "grey"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tone", TONES)
def test_toned_photographs_are_toned(name: str, tone: str) -> None:
    rgb = toned(name, *TONES[tone])
    assert classify_tone(rgb) == "toned"
    assert classify_tone(as_jpeg(rgb, 90)) == "toned"


def test_uneven_fading_and_stains_stay_toned() -> None:
    rgb = toned("coffee", *TONES["sepia"])
    lab = rgb_to_lab(rgb)
    lab[..., 1:] *= np.linspace(0.7, 1.2, lab.shape[1])[None, :, None]
    assert classify_tone(np.clip(lab_to_rgb(lab), 0, 1)) == "toned"


@pytest.mark.parametrize("share", [0.004, 0.02, 0.1])
@pytest.mark.parametrize("base", ["grey", "sepia"])
def test_a_small_coloured_object_makes_it_colour(share: float, base: str) -> None:
    tone = TONES["sepia"] if base == "sepia" else (lambda x: 0 * x, lambda x: 0 * x)
    rgb = toned("chelsea", *tone)
    side = int(np.sqrt(share * rgb.shape[0] * rgb.shape[1]))
    rgb[20 : 20 + side, 30 : 30 + side] = (0.1, 0.3, 0.8) if base == "sepia" else (0.8, 0.1, 0.15)
    assert classify_tone(rgb) == "colour"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (300, 1)])
def test_tiny_pictures_have_a_tone_too(size: tuple[int, int]) -> None:
    assert classify_tone(np.full((*size, 3), 0.4)) == "grey"
    assert classify_tone(np.tile([0.5, 0.42, 0.3], (*size, 1))) == "toned"


def test_float32_and_values_out_of_range_are_taken() -> None:
    assert classify_tone(photograph("coffee").astype(np.float32) * 1.1 - 0.02) == "colour"


@pytest.mark.parametrize(
    ("name", "tones"),
    [
        ("longs-peak-1941.png", {"grey"}),
        ("saratoga-broadway-1900s.jpg", {"grey"}),
        ("new-york-riverfront-1931.jpg", {"grey"}),
        ("keller-chaplin-1919.jpg", {"grey", "toned"}),
        ("detroit-1915.jpg", {"grey", "toned"}),
        ("migrant-mother-1936.jpg", {"grey", "toned"}),
        ("manzanar-boulders-1940s.jpg", {"grey", "toned"}),
        ("sepia-portrait-scratched.png", {"toned"}),
    ],
)
def test_historical_photographs_are_never_taken_for_colour(name: str, tones: set[str]) -> None:
    path = PHOTOS / name
    if not path.exists():
        pytest.skip("needs the historical photographs in ../shared/data/photos")
    picture = read_image(path)
    scale = 256 / max(picture.size)
    rgb = picture.small(*(max(1, round(side * scale)) for side in picture.size))
    assert classify_tone(rgb) in tones
