from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from tintype import color
from tintype.engine.chroma import Chroma
from tintype.engine.join import bands, join, join_rows, luminance
from tintype.engine.stream import JoinedImage
from tintype.errors import UsageError

TOLERANCE = {np.dtype(np.uint8): 0.3, np.dtype(np.uint16): 0.01}


def lightness(pixels: np.ndarray) -> np.ndarray:
    """L of sRGB pixels (..., 1 or 3) of any supported dtype, in double precision."""
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    rgb = np.broadcast_to(pixels / np.float64(top), (*pixels.shape[:-1], 3))
    return color.rgb_to_lab(np.ascontiguousarray(rgb))[..., 0]


def random_picture(
    seed: int, height: int, width: int, dtype: type, channels: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    # Powers crowd the pixels towards black and white, where the gamut is narrowest.
    grey = rng.uniform(0, 1, (height, width, channels)) ** rng.choice([0.1, 1, 6])
    pixels = np.rint(grey * top).astype(dtype)
    ab = rng.uniform(-110, 110, (2, *rng.integers(1, 9, 2)))
    return pixels, ab


class Streamed:
    """Joins through libvips: a picture in memory, its result as an image."""

    def __init__(self, pixels: np.ndarray, chroma: Chroma) -> None:
        self._pool = ThreadPoolExecutor(2)
        image = pyvips.Image.new_from_array(pixels)
        self._joined = JoinedImage(image, chroma, self._pool, 2)

    def __enter__(self) -> pyvips.Image:
        return self._joined.image

    def __exit__(self, *error: object) -> None:
        assert self._joined.close() is None
        self._pool.shutdown()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from(
        [(1, 1), (1, 40), (40, 1), (2, 3), (17, 31), (64, 64), (3, 900), (700, 2)]
    ),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    channels=st.sampled_from([1, 3]),
    strength=st.floats(0, 2),
)
def test_lightness_is_kept(
    seed: int, size: tuple[int, int], dtype: type, channels: int, strength: float
) -> None:
    pixels, ab = random_picture(seed, *size, dtype, channels)
    joined = join(pixels, Chroma(ab, size, strength=strength))
    assert joined.shape == (*size, 3)
    assert joined.dtype == dtype
    error = np.abs(lightness(joined) - lightness(pixels)).max()
    assert error <= TOLERANCE[pixels.dtype]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lightness_is_kept_for_every_level_and_hue(dtype: type) -> None:
    top = np.iinfo(dtype).max
    levels = np.unique(np.linspace(0, top, 256).round().astype(dtype))
    hue = np.radians(np.arange(0, 360, 3))
    pixels = np.broadcast_to(levels[:, None, None], (len(levels), len(hue), 1))
    for chroma in (1, 10, 40, 155, 310):
        ab = np.stack([np.cos(hue), np.sin(hue)])[:, None] * np.float32(chroma)
        ab = np.broadcast_to(ab, (2, len(levels), len(hue))).astype(np.float32)
        joined = join_rows(pixels, ab)
        error = np.abs(lightness(joined) - lightness(pixels)).max()
        assert error <= TOLERANCE[np.dtype(dtype)], chroma


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (5, 1200), (180, 240)])
def test_lightness_is_kept_in_files(
    tmp_path: Path, suffix: str, dtype: type, size: tuple[int, int]
) -> None:
    pixels, ab = random_picture(7, *size, dtype, 1)
    path = tmp_path / f"joined{suffix}"
    with Streamed(pixels, Chroma(ab, size)) as image:
        image.write_to_file(str(path))
    written = pyvips.Image.new_from_file(str(path)).numpy()
    assert written.dtype == dtype
    assert np.abs(lightness(written) - lightness(pixels)).max() <= TOLERANCE[pixels.dtype]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_without_colour_every_grey_comes_back_exactly(dtype: type, channels: int) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1, 1)
    pixels = np.repeat(levels, channels, axis=-1)
    joined = join(pixels, Chroma(np.zeros((2, 3, 3)), levels.shape[:2]))
    np.testing.assert_array_equal(joined, np.repeat(levels, 3, axis=-1))


def test_without_strength_colour_is_ignored() -> None:
    pixels, ab = random_picture(3, 20, 30, np.uint8, 1)
    joined = join(pixels, Chroma(ab, (20, 30), strength=0))
    np.testing.assert_array_equal(joined, np.repeat(pixels, 3, axis=-1))


def test_colours_inside_the_gamut_are_what_lab_says() -> None:
    rng = np.random.default_rng(5)
    rgb = rng.uniform(0.02, 0.98, (50, 60, 3))
    lab = color.rgb_to_lab(rgb)
    grey = color.lab_to_rgb(lab * [1, 0, 0])[..., :1]
    ab = np.moveaxis(lab[..., 1:], -1, 0).astype(np.float32)
    np.testing.assert_allclose(join_rows(grey, ab), rgb, atol=1e-5)


def test_sixteen_bits_are_rounded_within_a_fifth_of_a_level() -> None:
    rng = np.random.default_rng(6)
    rgb = rng.uniform(0.001, 0.999, (50, 60, 3))
    L = color.rgb_to_lab(rgb)[..., :1]
    grey = np.rint(color.lab_to_rgb(np.concatenate([L, 0 * L, 0 * L], -1))[..., :1] * 65535)
    Y = luminance(grey.astype(np.uint16)).astype(np.float64)
    ab = np.moveaxis(color.rgb_to_lab(rgb)[..., 1:], -1, 0).astype(np.float32)
    own = color.luminance_to_lightness(Y)
    ideal = color.lab_to_rgb(np.stack([own, *ab.astype(np.float64)], axis=-1)) * 65535
    joined = join_rows(grey.astype(np.uint16), ab)
    inside = ((ideal >= 0) & (ideal <= 65535)).all(axis=-1)
    assert inside.mean() > 0.9
    assert np.abs(joined - ideal)[inside].max() < 0.7


def test_hue_is_kept_and_chroma_is_the_largest_there_is() -> None:
    L = np.linspace(3, 97, 95)
    hue = np.radians(np.arange(-180, 180, 2.5))
    grey = color.lab_to_rgb(np.stack([L, 0 * L, 0 * L], axis=-1))[:, None, :1]
    pixels = np.broadcast_to(grey, (len(L), len(hue), 1))
    ab = np.stack([np.cos(hue), np.sin(hue)])[:, None] * np.full((1, len(L), 1), 200.0)
    lab = color.rgb_to_lab(join_rows(pixels, ab.astype(np.float32)))
    turned = np.angle(np.exp(1j * (np.arctan2(lab[..., 2], lab[..., 1]) - hue)))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    assert np.degrees(np.abs(turned)).max() < 1
    largest = color.largest_chroma(L[:, None], hue[None])
    assert np.abs(chroma - largest).mean() < 0.05
    assert np.percentile(largest - chroma, 99) < 1


@pytest.mark.parametrize(
    ("cells", "size"),
    [((5, 7), (50, 70)), ((5, 7), (33, 41)), ((6, 9), (100, 64)), ((4, 4), (5, 301))],
)
def test_chroma_is_up_sampled_by_cubic_convolution_with_aligned_centres(
    cells: tuple[int, int], size: tuple[int, int]
) -> None:
    ab = np.random.default_rng(1).uniform(-50, 50, (2, *cells))
    expected = np.stack([_keys(plane, size, cells) for plane in ab])
    np.testing.assert_allclose(Chroma(ab, size).rows(0, size[0]), expected, atol=1e-3)


def _keys(plane: np.ndarray, size: tuple[int, int], covered: tuple[float, float]) -> np.ndarray:
    """Catmull-Rom written as a sum over neighbours, edges repeated, one pixel at a time."""
    padded = np.pad(plane, 3, mode="edge")
    out = np.empty(size)
    for i in range(size[0]):
        for j in range(size[1]):
            y = (i + 0.5) * covered[0] / size[0] - 0.5
            x = (j + 0.5) * covered[1] / size[1] - 0.5
            top, left = int(np.floor(y)), int(np.floor(x))
            patch = padded[top + 2 : top + 6, left + 2 : left + 6]
            out[i, j] = _spline(y - top) @ patch @ _spline(x - left)
    return out


def _spline(t: float) -> np.ndarray:
    """The four weights of the Catmull-Rom spline, from its matrix form."""
    matrix = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.array([1, t, t * t, t**3]) @ matrix


def test_a_ramp_stays_where_it_is() -> None:
    cells = np.arange(20.0)
    ab = np.broadcast_to(cells, (2, 4, 20))
    rows = Chroma(ab, (40, 170)).rows(0, 40)[0]
    expected = (np.arange(170) + 0.5) * 20 / 170 - 0.5
    middle = slice(20, 150)  # beyond it the repeated edge bends the ramp
    np.testing.assert_allclose(rows[:, middle], np.tile(expected[middle], (40, 1)), atol=1e-3)
    away = map_coordinates(ab[0], [np.zeros(170), expected], order=1, mode="nearest")
    np.testing.assert_allclose(rows[0][middle], away[middle], atol=1e-3)


def test_the_part_that_is_padding_is_not_shown() -> None:
    ab = np.random.default_rng(2).uniform(-50, 50, (2, 8, 8))
    rows = Chroma(ab, (55, 70), covered=(5.5, 7.0)).rows(0, 55)
    np.testing.assert_allclose(rows[0], _keys(ab[0], (55, 70), (5.5, 7.0)), atol=1e-3)


def test_a_picture_smaller_than_its_colours_gets_their_mean() -> None:
    ab = np.random.default_rng(2).uniform(-50, 50, (2, 64, 64))
    small = Chroma(ab, (1, 1)).rows(0, 1)[:, 0, 0]
    np.testing.assert_allclose(small, ab.mean(axis=(1, 2)), atol=5)
    flat = Chroma(np.full((2, 64, 64), 7.0), (9, 5)).rows(0, 9)
    np.testing.assert_allclose(flat, 7, atol=1e-4)


def test_bands_do_not_show() -> None:
    ab = np.random.default_rng(2).uniform(-50, 50, (2, 6, 9))
    chroma = Chroma(ab, (90, 50))
    parts = [chroma.rows(top, top + 7) for top in range(0, 84, 7)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), chroma.rows(0, 84), atol=1e-4)


def test_bands_cover_every_row_once() -> None:
    for size in [(1, 1), (3, 100_000), (5000, 1), (1000, 1000)]:
        rows = [row for top, bottom in bands(size) for row in range(top, bottom)]
        assert rows == list(range(size[0]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_stream_joins_like_the_array(dtype: type, channels: int) -> None:
    pixels, ab = random_picture(11, 300, 700, dtype, channels)
    chroma = Chroma(ab, (300, 700))
    with Streamed(pixels, chroma) as image:
        assert image.interpretation == ("srgb" if dtype == np.uint8 else "rgb16")
        streamed = image.numpy()
    np.testing.assert_array_equal(streamed, join(pixels, chroma))


def test_a_stream_that_is_not_read_to_its_end_closes() -> None:
    pixels, ab = random_picture(11, 3000, 1000, np.uint8, 1)
    with Streamed(pixels, Chroma(ab, (3000, 1000))) as image:
        image.crop(0, 0, 1000, 10).avg()


def test_opening_a_stream_reads_nothing() -> None:
    pixels, ab = random_picture(11, 30, 10, np.uint8, 1)
    with ThreadPoolExecutor(1) as pool:
        broken = pyvips.Image.new_from_array(pixels).crop(0, 0, 10, 30)
        joined = JoinedImage(broken, Chroma(ab, (30, 10)), pool, 1)
        assert joined.image.width == 10
        assert joined.close() is None


def test_a_damaged_picture_is_a_failure_not_a_half_picture(tmp_path: Path) -> None:
    pixels, ab = random_picture(11, 400, 300, np.uint8, 1)
    whole = pyvips.Image.new_from_array(pixels).jpegsave_buffer()
    cut = pyvips.Image.jpegload_buffer(
        whole[: len(whole) // 2], access="sequential", fail_on="truncated"
    )
    with ThreadPoolExecutor(1) as pool:
        joined = JoinedImage(cut, Chroma(ab, (400, 300)), pool, 1)
        with pytest.raises(pyvips.Error):
            joined.image.write_to_file(str(tmp_path / "out.png"))
        assert isinstance(joined.close(), pyvips.Error)


def test_sizes_must_agree() -> None:
    with pytest.raises(UsageError, match="its colours are"):
        join(np.zeros((4, 4, 1), np.uint8), Chroma(np.zeros((2, 1, 1)), (4, 5)))
    with pytest.raises(UsageError, match=r"\(2, h, w\)"):
        Chroma(np.zeros((3, 1, 1)), (4, 5))


def test_float_pixels_stay_float() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        pixels = np.linspace(0, 1, 50).reshape(5, 10, 1).astype(dtype)
        joined = join(pixels, Chroma(np.full((2, 1, 1), 20.0), (5, 10)))
        assert joined.dtype == dtype
        np.testing.assert_allclose(lightness(joined), lightness(pixels), atol=0.2)
