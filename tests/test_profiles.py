"""profiles.py: grey profiles go, wide gamut comes back, all else becomes sRGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

import image_samples as samples
from image_samples import ADOBE_RGB, GREY_GAMMA_18, MARK, PROPHOTO, SMALL_RGB, as_pages, grey8, rgb8
from tintype.color import linear_to_srgb, srgb_to_linear
from tintype.images import encode_image, profiles, read_image

SRGB_OF_PILLOW = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
DISPLAY_P3 = bytes(pyvips.Operation.call("profile_load", "p3"))
WIDE = {"adobe": ADOBE_RGB, "prophoto": PROPHOTO, "p3": DISPLAY_P3}
ONTO = ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"]


def profile_of(data: bytes) -> str:
    return profiles.colour_space(samples.opened(data).info["icc_profile"])


def test_what_each_profile_asks_for() -> None:
    assert profiles.role_of_rgb(None) == "none"
    assert profiles.role_of_rgb(profiles.srgb_profile()) == "none"
    assert profiles.role_of_rgb(SRGB_OF_PILLOW) == "none"
    assert profiles.role_of_rgb(SMALL_RGB) == "convert"
    assert profiles.role_of_rgb(GREY_GAMMA_18) == "none"
    assert profiles.role_of_rgb(b"junk") == "none"
    for wide in WIDE.values():
        assert profiles.role_of_rgb(wide) == "wide"


@pytest.mark.parametrize("format", ONTO)
def test_every_result_carries_an_srgb_profile(format: str) -> None:
    pixels = rgb8() if format in ("WEBP", "AVIF") else grey8()
    picture = read_image(samples.pillow(pixels, format))
    data, _ = encode_image(picture, as_pages(picture), mark=MARK)
    carried = samples.opened(data).info["icc_profile"]
    matrix = profiles.matrix_profile(carried)
    assert matrix is not None
    assert matrix.is_srgb()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_a_grey_profile_is_applied_and_never_stuck_on_rgb(format: str) -> None:
    options = {"quality": 100} if format == "JPEG" else {}
    picture = read_image(samples.pillow(grey8(), format, icc_profile=GREY_GAMMA_18, **options))
    found = picture.pixels().numpy() / 65535
    tolerance = 0.015 if format == "JPEG" else 2e-3
    np.testing.assert_allclose(found, linear_to_srgb((grey8() / 255) ** 1.8), atol=tolerance)
    assert picture.depth == 8
    assert picture.profile is None
    data, _ = encode_image(picture, as_pages(picture), mark=MARK)
    assert profile_of(data) == "RGB "


def test_a_grey_profile_at_sixteen_bits_is_exact() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = pyvips.Image.new_from_array(ramp).copy(interpretation="grey16")
    data = profiles.with_profile(image, GREY_GAMMA_18).pngsave_buffer()
    found = read_image(data).pixels().numpy().astype(float)
    expected = linear_to_srgb((ramp / 65535) ** (round(1.8 * 256) / 256)) * 65535
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


def test_an_rgb_profile_on_a_grey_picture_gives_its_curve() -> None:
    picture = read_image(samples.pillow(grey8(), "TIFF", icc_profile=ADOBE_RGB))
    assert picture.profile is None
    found = picture.pixels().numpy() / 65535
    np.testing.assert_allclose(found, linear_to_srgb((grey8() / 255) ** 2.19921875), atol=1e-4)


def test_an_srgb_profile_changes_nothing() -> None:
    for carried in (SRGB_OF_PILLOW, profiles.srgb_profile()):
        for pixels in (grey8(), rgb8()):
            picture = read_image(samples.pillow(pixels, "PNG", icc_profile=carried))
            np.testing.assert_array_equal(picture.pixels().numpy(), pixels)


@pytest.mark.parametrize("name", WIDE)
def test_wide_gamut_is_read_as_the_reference_does(name: str) -> None:
    """littleCMS, through Pillow, at 8 bits; colours inside sRGB so that clipping plays no part."""
    soft = (128 + (rgb8().astype(int) - 128) // 6).astype(np.uint8)
    picture = read_image(samples.pillow(soft, "PNG", icc_profile=WIDE[name]))
    found = picture.pixels().numpy() / 257
    reference = ImageCms.profileToProfile(
        Image.fromarray(soft),
        ImageCms.ImageCmsProfile(io.BytesIO(WIDE[name])),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert np.abs(found - np.asarray(reference)).max() < 1.6
    assert np.abs(found - np.asarray(reference)).mean() < 0.5


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("name", WIDE)
def test_wide_gamut_comes_back_through_its_profile(name: str, depth: int) -> None:
    y, x = np.mgrid[0:40, 0:50]
    most = 255 if depth == 8 else 65535
    grey = ((x * 40 + y) / 2040 * most)[..., None]
    pixels = np.clip(grey + np.array([0, 4, -4]) / 255 * most, 0, most)
    pixels = pixels.astype(np.uint8 if depth == 8 else np.uint16)
    image = profiles.with_profile(samples.of_array(pixels), WIDE[name])
    for saver in ("pngsave_buffer", "tiffsave_buffer"):
        picture = read_image(bytes(getattr(image, saver)()))
        assert picture.depth == depth
        assert picture.profile == WIDE[name]
        data, _ = encode_image(picture, as_pages(picture), mark=MARK)
        again = read_image(data)
        assert again.profile == WIDE[name]
        stored = again.pages[0], np.asarray(_as_stored(data))
        inside = _inside_srgb(pixels / most, WIDE[name])
        difference = np.abs(stored[1].astype(int) - pixels)[inside]
        assert inside.mean() > 0.8
        assert difference.max() <= (0 if depth == 8 else 40)
        assert difference.mean() <= (0 if depth == 8 else 2)


def _as_stored(data: bytes) -> np.ndarray:
    return np.asarray(pyvips.Image.new_from_buffer(data, "").numpy())


def _inside_srgb(rgb: np.ndarray, profile: bytes) -> np.ndarray:
    """Whether no channel is clipped on the way to sRGB."""
    matrix = profiles.matrix_profile(profile)
    assert matrix is not None
    index = np.rint(rgb * 65535).astype(int)
    encoded = np.stack([matrix.curves[index[..., c], c] for c in range(3)], axis=-1) / 65535
    linear = srgb_to_linear(encoded) @ matrix.to_srgb.T
    return np.asarray(((linear >= 0) & (linear <= 1)).all(axis=-1))


def test_grey_stays_grey_under_every_wide_profile() -> None:
    flat = np.dstack([np.tile(np.arange(256, dtype=np.uint8), (4, 1))] * 3)
    for wide in WIDE.values():
        found = read_image(samples.pillow(flat, "PNG", icc_profile=wide)).pixels().numpy()
        assert np.ptp(found.astype(int), axis=2).max() <= 2


def test_a_narrow_profile_becomes_srgb() -> None:
    picture = read_image(samples.pillow(rgb8(), "PNG", icc_profile=SMALL_RGB))
    assert picture.profile is None
    found = picture.pixels().numpy() / 65535
    np.testing.assert_allclose(found, linear_to_srgb((rgb8() / 255) ** 1.8), atol=4e-3)
    data, _ = encode_image(picture, as_pages(picture), mark=None)
    assert read_image(data).pixels().format == "uchar"


@pytest.mark.parametrize("kind", range(5))
def test_parametric_curves(kind: int) -> None:
    import struct

    s15 = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0]
    parameters = {
        0: [2.2],
        1: [2.0, 0.8, 0.2],
        2: [2.0, 0.7, 0.1, 0.2],
        3: s15[:5],
        4: s15,
    }[kind]
    tag = b"para\0\0\0\0" + struct.pack(">HH", kind, 0)
    tag += b"".join(struct.pack(">i", round(p * 65536)) for p in parameters)
    x = np.linspace(0, 1, 65536)
    expected = {
        0: lambda: x**2.2,
        1: lambda: np.where(x >= -0.25, (0.8 * x + 0.2) ** 2.0, 0),
        2: lambda: (0.7 * x + 0.1) ** 2 + 0.2,
        3: lambda: srgb_to_linear(x),
        4: lambda: srgb_to_linear(x),
    }[kind]()
    found = profiles._curve(tag)
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("cut", [0, 20, 130, 150, 300])
def test_damaged_profiles_are_ignored(cut: int) -> None:
    picture = read_image(samples.pillow(rgb8(), "PNG", icc_profile=ADOBE_RGB[:cut] or b"x"))
    assert picture.profile is None
    assert picture.pixels().numpy().shape == (48, 64, 3)


def test_small_honours_the_profile_too() -> None:
    flat = np.full((100, 100), 128, np.uint8)
    small = read_image(samples.pillow(flat, "PNG", icc_profile=GREY_GAMMA_18)).small(10, 10)
    np.testing.assert_allclose(small, linear_to_srgb(np.array((128 / 255) ** 1.8)), atol=2e-3)


def test_cmyk_with_and_without_a_profile_gets_srgb() -> None:
    flat: Any = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    for options in ({}, {"icc_profile": ADOBE_RGB}):
        picture = read_image(samples.pillow(flat, "TIFF", **options))
        assert picture.profile is None
        data, _ = encode_image(picture, as_pages(picture), mark=None)
        assert np.asarray(samples.opened(data)).max() < 80


@pytest.mark.parametrize("kind", [1, 2])
def test_a_curve_that_divides_by_nothing_is_no_curve(kind: int) -> None:
    numbers = np.array([1 << 16, 0, 0, 0], ">i4")[: 3 + (kind == 2)]
    tag = b"para\0\0\0\0" + kind.to_bytes(2, "big") + b"\0\0" + numbers.tobytes()
    assert profiles._curve(tag) is None
