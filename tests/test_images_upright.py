"""images.py: pictures stand upright, and small ones are exact, aligned and free of overshoot."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import image_samples as samples
from image_samples import HEIGHT, MARK, WIDTH, alpha8, as_pages, grey8, rgb8, rgb16
from tintype.images import encode_image, read_image

GREY = grey8()


def a_jpeg() -> bytes:
    return samples.pillow(rgb8(), "JPEG", quality=92)


def a_deep_png() -> bytes:
    return samples.png16(rgb16())


def a_tiff() -> bytes:
    return samples.tiff(GREY)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once_and_removed(format: str, orientation: int) -> None:
    flat = np.dstack([GREY] * 3)
    options = {"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(format, {})
    data = samples.pillow(flat, format, exif=samples.exif(orientation), **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    picture = read_image(data)
    assert picture.size == expected.shape[:2]
    np.testing.assert_allclose(picture.pixels().numpy(), expected, atol=2)
    np.testing.assert_allclose(picture.small(*picture.size) * 255, expected, atol=2)
    again, _ = encode_image(picture, as_pages(picture), mark=MARK)
    shown = samples.opened(again)
    assert shown.getexif().get(0x0112, 1) == 1
    np.testing.assert_allclose(np.asarray(shown), expected, atol=3)
    assert read_image(again).pages[0].orientation == 1


def test_alpha_turns_with_the_picture() -> None:
    picture = read_image(samples.pillow(np.dstack([rgb8(), alpha8()]), "PNG", exif=samples.exif(6)))
    np.testing.assert_array_equal(picture.alpha().numpy(), np.rot90(alpha8(), -1))


@pytest.mark.parametrize("make", [a_jpeg, a_deep_png, a_tiff])
@pytest.mark.parametrize("size", [(12, 16), (7, 31), (1, 1), (96, 128), (5, 200)])
def test_small_has_exactly_the_size_asked_for(make: Any, size: tuple[int, int]) -> None:
    rgb = read_image(make()).small(*size)
    assert rgb.shape == (*size, 3)
    assert rgb.dtype == np.float32
    assert 0 <= rgb.min() <= rgb.max() <= 1


def test_small_at_the_own_size_is_exact() -> None:
    deep = read_image(samples.png16(rgb16())).small(HEIGHT, WIDTH)
    np.testing.assert_array_equal(np.rint(deep * 65535).astype(int), rgb16())
    grey = read_image(samples.pillow(GREY, "PNG")).small(HEIGHT, WIDTH)
    np.testing.assert_array_equal(np.rint(grey * 255).astype(int), np.dstack([GREY] * 3))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_small_averages_without_overshoot_or_shift(format: str) -> None:
    step = np.full((480, 640), 40, np.uint8)
    step[:, 320:] = 200
    small = read_image(samples.pillow(step, format)).small(48, 64)[..., 0] * 255
    assert small.min() > 38
    assert small.max() < 202
    np.testing.assert_allclose(small[:, :30], 40, atol=1)
    np.testing.assert_allclose(small[:, 34:], 200, atol=1)
    ramp = np.tile(np.linspace(0, 255, 640), (480, 1)).astype(np.uint8)
    small = read_image(samples.pillow(ramp, format)).small(48, 64)[24, :, 0] * 255
    np.testing.assert_allclose(small, ramp[0].reshape(64, 10).mean(axis=1), atol=2)


def test_small_of_a_large_jpeg_equals_its_plain_reduction() -> None:
    y, x = np.mgrid[0:1000, 0:1500]
    large = (128 + 60 * np.sin(x / 40) + 60 * np.cos(y / 30)).astype(np.uint8)
    small = read_image(samples.pillow(large, "JPEG", quality=95)).small(50, 75)[..., 0] * 255
    plain = large.reshape(50, 20, 75, 20).mean(axis=(1, 3))
    assert np.abs(small - plain).mean() < 1.5


@pytest.mark.parametrize(("old", "new"), [(640, 64), (1000, 256), (100, 75), (50, 75), (64, 128)])
def test_small_is_aligned_to_a_twentieth_of_a_pixel(old: int, new: int) -> None:
    ramp = np.tile(np.rint((60 + 120 * np.arange(old) / old) * 257), (old, 1)).astype(np.uint16)
    row = read_image(samples.png16(ramp)).small(new, new)[new // 2, :, 0] * 255
    ideal = 60 + 120 * ((np.arange(new) + 0.5) * old / new - 0.5) / old
    off_px = (row - ideal) / (120 / new)
    assert np.abs(off_px[3:-3]).max() < 0.05
