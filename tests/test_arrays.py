from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

import image_samples as samples
from conftest import grey_pixels
from tintype import color
from tintype.engine import Colorizer, Options
from tintype.engine.arrays import shrink
from tintype.errors import UnreadableImage, UsageError
from tintype.images import read_image


@pytest.fixture(scope="module")
def colorizer(tiny_model: Path) -> Colorizer:
    return Colorizer.load(tiny_model, device="cpu")


def lab_of(rgb: np.ndarray) -> np.ndarray:
    top = np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1
    return color.rgb_to_lab(rgb[..., :3] / np.float64(top))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize(("channels", "out"), [((), 3), ((1,), 3), ((2,), 4), ((3,), 3), ((4,), 4)])
def test_arrays(colorizer: Colorizer, dtype: type, channels: tuple[int, ...], out: int) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    grey = grey_pixels(50, 70) / 255 * top
    picture = (np.repeat(grey[..., None], channels[0], -1) if channels else grey).astype(dtype)
    result = colorizer.colorize(picture)
    assert (result.shape, result.dtype) == ((50, 70, out), dtype)
    lab, own = lab_of(result), lab_of(np.repeat(picture.reshape(50, 70, -1)[..., :1], 3, -1))
    assert np.abs(lab[..., 0] - own[..., 0]).max() < 0.3
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 5
    if out == 4:
        np.testing.assert_array_equal(result[..., 3], picture[..., -1])


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (np.zeros((4, 4, 5), np.uint8), "height, width"),
        (np.zeros((0, 4), np.uint8), "height, width"),
        (np.zeros(4, np.uint8), "height, width"),
        (np.zeros((4, 4), np.int32), "uint8, uint16 or float, not int32"),
        (np.full((4, 4), np.nan), "finite"),
        (np.full((4, 4), np.inf), "finite"),
        (np.full((4, 4), 1.5), r"\[0, 1\]"),
        ("nothing", "no such|cannot|not"),
    ],
)
def test_pictures_that_are_none(colorizer: Colorizer, picture: object, says: str) -> None:
    with pytest.raises((UsageError, UnreadableImage), match=says):
        colorizer.colorize(picture)  # type: ignore[type-var]


def test_the_other_byte_order(colorizer: Colorizer) -> None:
    grey = (grey_pixels(40, 50).astype(np.uint16) * 257).astype(">u2")
    result = colorizer.colorize(grey)
    np.testing.assert_array_equal(result, colorizer.colorize(grey.astype("<u2")))


def test_a_pil_pictures_profile_is_applied(colorizer: Colorizer, tmp_path: Path) -> None:
    dark = samples.profile("GRAY", 3.0)
    for mode in ("L", "LA"):
        picture = Image.fromarray(grey_pixels(40, 50)).convert(mode)
        picture.save(tmp_path / "a.png", icc_profile=dark)
        with Image.open(tmp_path / "a.png") as tagged:
            ours = np.asarray(colorizer.colorize(tagged).convert("RGB")).astype(float)
        data, _ = colorizer.colorize_file(str(tmp_path / "a.png"), None)
        by_file = np.asarray(Image.open(io.BytesIO(data or b"")).convert("RGB")).astype(float)
        untagged = np.asarray(colorizer.colorize(picture).convert("RGB")).astype(float)
        assert np.abs(ours - by_file).mean() < 1
        assert np.abs(ours - untagged).mean() > 5


def test_inks_and_palettes_are_read_as_from_a_file(colorizer: Colorizer, tmp_path: Path) -> None:
    grey = Image.fromarray(grey_pixels(40, 50))
    inks = Image.merge("CMYK", [Image.new("L", grey.size)] * 3 + [ImageOps.invert(grey)])
    inks.save(tmp_path / "inks.tif")
    tinted = ImageOps.colorize(grey, "navy", "white").quantize(16)
    tinted.save(tmp_path / "palette.png", icc_profile=samples.ADOBE_RGB)
    for name in ("inks.tif", "palette.png"):
        with Image.open(tmp_path / name) as opened:
            ours = np.asarray(colorizer.colorize(opened, Options(force=True)))
        data, _ = colorizer.colorize_file(str(tmp_path / name), None, Options(force=True))
        by_file = read_image(data or b"").pixels().numpy()
        assert np.abs(lab_of(ours) - lab_of(by_file)).mean() < 0.5


def test_another_kind_of_object(colorizer: Colorizer) -> None:
    with pytest.raises(UsageError, match="not <class 'list'>"):
        colorizer.colorize([1, 2])  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", "RGB"),
        ("LA", "RGBA"),
        ("RGB", "RGB"),
        ("RGBA", "RGBA"),
        ("P", "RGB"),
        ("1", "RGB"),
        ("I;16", "RGB"),
        ("I", "RGB"),
        ("La", "RGBA"),
        ("RGBa", "RGBA"),
    ],
)
def test_pil_pictures(colorizer: Colorizer, mode: str, expected: str) -> None:
    grey = grey_pixels(40, 60)
    if mode.startswith("I"):
        wide = grey.astype(np.uint16) * 257
        picture = Image.fromarray(wide if mode == "I;16" else wide.astype(np.int32))
    else:
        through = {"La": "LA", "RGBa": "RGBA"}.get(mode, mode)
        given = Image.fromarray(grey).convert(through)
        picture = given.convert(mode)
    result = colorizer.colorize(picture)
    assert (result.mode, result.size) == (expected, (60, 40))
    back = grey[..., None] if mode.startswith("I") else np.asarray(given.convert("RGB"))
    own = lab_of(np.broadcast_to(back, (40, 60, 3)))[..., 0]
    assert np.abs(lab_of(np.asarray(result))[..., 0] - own).max() < 0.45


def test_pil_orientation_is_applied_once(colorizer: Colorizer) -> None:
    picture = Image.fromarray(grey_pixels(40, 60))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a title"
    picture.info["exif"] = exif.tobytes()
    picture.getexif().load(exif.tobytes())
    result = colorizer.colorize(picture)
    assert result.size == (40, 60)
    upright = np.rot90(grey_pixels(40, 60), -1)
    np.testing.assert_allclose(
        lab_of(np.asarray(result))[..., 0],
        lab_of(np.repeat(upright[..., None], 3, -1))[..., 0],
        atol=0.3,
    )
    assert 0x0112 not in result.getexif()
    assert Image.open(_saved(result)).getexif().get(0x010E) == "a title"


def _saved(picture: Image.Image) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, "png", exif=picture.info.get("exif", b""))
    return file


def test_pil_pictures_of_unknown_range(colorizer: Colorizer) -> None:
    with pytest.raises(UsageError, match="mode F"):
        colorizer.colorize(Image.fromarray(np.ones((4, 4), np.float32)))
    with pytest.raises(UsageError, match="mode I"):
        colorizer.colorize(Image.fromarray(np.full((4, 4), 70_000, np.int32)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_shrinking_averages_and_repeats_grey(dtype: type) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    board = (np.indices((64, 96)).sum(axis=0) % 2 * top).astype(dtype)[..., None]
    small = shrink(board, 16, 24)
    assert (small.shape, small.dtype) == ((16, 24, 3), np.float32)
    np.testing.assert_allclose(small, 0.5, atol=0.01)
    exact = shrink(board, 64, 96)
    np.testing.assert_array_equal(exact[..., 1], board[..., 0] / np.float32(top))
