"""How predicted colour and a picture's own lightness become one picture.

Lightness is kept by construction: the colour is added to the linear light of the grey picture as
an offset of luminance zero, and a colour that sRGB cannot show loses chroma, never lightness.
Everything works on bands of rows, so that a scan of any size passes through in little memory.
"""

from __future__ import annotations

from concurrent.futures import Executor
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tintype import color
from tintype.engine.chroma import Chroma
from tintype.errors import UsageError

Float = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.floating]

BAND_PIXELS = 1 << 15
"""Pixels joined at a time: the dozen float planes of a band stay in the processor's cache."""

_TOE = 6 / 29  # below it CIE Lab's cube root is a straight line (CIE 15:2004, eq. 8.6)
_KAPPA = (29 / 3) ** 3
_PER_A, _PER_B = np.float32(1 / 500), np.float32(-1 / 200)  # CIE 15:2004, eq. 8.4 and 8.5
_LUMINANCE = color.SRGB_TO_XYZ[1].astype(np.float32)
# Linear R, G, B gained per unit of X/Xn and of Z/Zn; luminance gains nothing from either.
_RGB_PER_X = (color.XYZ_TO_SRGB[:, 0] * color.D65_WHITE[0]).astype(np.float32)
_RGB_PER_Z = (color.XYZ_TO_SRGB[:, 2] * color.D65_WHITE[2]).astype(np.float32)

_HUES, _LEVELS = 361, 201  # nodes of the table of the largest chroma: every degree, every half L

_CAUTION = 0.999  # of the table's chroma: fewer colours need the second step below


@lru_cache(maxsize=1)
def _largest_chroma_table() -> Float:
    """Largest chroma inside sRGB by hue (every degree from -180) and L (every half)."""
    hue = np.linspace(-np.pi, np.pi, _HUES)[:, None]
    return color.largest_chroma(np.linspace(0, 100, _LEVELS)[None], hue).astype(np.float32)


@lru_cache(maxsize=2)
def _linear_table(levels: int) -> Float:
    """Linear light of every sRGB level, (levels,)."""
    return color.srgb_to_linear(np.arange(levels) / (levels - 1)).astype(np.float32)


@lru_cache(maxsize=2)
def _companded_table(levels: int) -> Float:
    """(L + 16) / 116 of every grey sRGB level, (levels,)."""
    linear = color.srgb_to_linear(np.arange(levels) / (levels - 1))
    return _companded(linear).astype(np.float32)


@lru_cache(maxsize=2)
def _encoded_table(dtype: np.dtype[np.generic]) -> Pixels:
    """sRGB levels by the square root of linear light, which makes the steps nearly even."""
    root = np.linspace(0, 1, 1 << (16 if dtype.itemsize == 1 else 20))
    encoded = np.rint(color.linear_to_srgb(root**2) * (_levels(dtype) - 1)).astype(dtype)
    return cast(Pixels, encoded)


def _companded(Y: NDArray[np.floating]) -> NDArray[np.floating]:
    """What CIE Lab computes with instead of Y: (L + 16) / 116."""
    return (color.luminance_to_lightness(Y) + 16) / 116


def _levels(dtype: np.dtype[np.generic]) -> int:
    """How many values an unsigned integer type has."""
    return int(256**dtype.itemsize)


def luminance(pixels: Pixels) -> Float:
    """Relative luminance Y of sRGB pixels.

    Args:
        pixels: (..., 1) or (..., 3), uint8, uint16, or float in [0, 1].

    Returns:
        Y in [0, 1], float32, the shape without its last axis.
    """
    if np.issubdtype(pixels.dtype, np.integer):
        linear = _linear_table(_levels(pixels.dtype))[pixels]
    else:
        linear = color.srgb_to_linear(pixels.astype(np.float32))
    if pixels.shape[-1] == 1:
        return cast(Float, linear[..., 0])
    r, g, b = (linear[..., i] * _LUMINANCE[i] for i in range(3))
    return cast(Float, np.clip(r + g + b, 0, 1))


def _own_light(pixels: Pixels) -> tuple[Float, Float]:
    """Y and its companded value of (rows, width, 1 or 3) pixels, both (rows * width,)."""
    Y = luminance(pixels).reshape(-1)
    if pixels.shape[-1] == 1 and np.issubdtype(pixels.dtype, np.integer):
        return Y, _companded_table(_levels(pixels.dtype))[pixels.reshape(-1)]
    return Y, cast(Float, _companded(Y))


def _excess(f: Float, Y: Float) -> Float:
    """How far X/Xn (or Z/Zn) of a companded value lies above Y."""
    value = f * f
    value *= f
    dark = np.flatnonzero(f < _TOE)
    value[dark] = (116 * f[dark] - 16) / _KAPPA
    value -= Y
    return value


def _coloured(fy: Float, Y: Float, a: Float, b: Float) -> Float:
    """Linear RGB (3, n) of Lab colours, not limited to the gamut; their luminance is Y."""
    linear = np.multiply.outer(_RGB_PER_X, _excess(fy + a * _PER_A, Y))
    linear += np.multiply.outer(_RGB_PER_Z, _excess(fy + b * _PER_B, Y))
    linear += Y
    return cast(Float, linear)


def _outside(linear: Float) -> NDArray[np.intp]:
    """Which of the colours (3, n) leave [0, 1] in a channel."""
    lowest = np.minimum(np.minimum(linear[0], linear[1]), linear[2])
    highest = np.maximum(np.maximum(linear[0], linear[1]), linear[2])
    return np.flatnonzero((lowest < 0) | (highest > 1))


def _chroma_limit(L: Float, a: Float, b: Float) -> Float:
    """The largest chroma at each colour's lightness and hue, from the table (bilinear)."""
    row = (np.arctan2(b, a) + np.float32(np.pi)) * np.float32((_HUES - 1) / (2 * np.pi))
    column = L * np.float32((_LEVELS - 1) / 100)
    i = np.clip(row.astype(np.int32), 0, _HUES - 2)
    j = np.clip(column.astype(np.int32), 0, _LEVELS - 2)
    row -= i
    column -= j
    flat = _largest_chroma_table().ravel()
    corner = i * _LEVELS + j
    left = flat[corner] * (1 - row) + flat[corner + _LEVELS] * row
    right = flat[corner + 1] * (1 - row) + flat[corner + _LEVELS + 1] * row
    return cast(Float, left * (1 - column) + right * column)


def _less_chroma(fy: Float, Y: Float, a: Float, b: Float) -> Float:
    """Linear RGB (3, n) in [0, 1] with chroma reduced at constant L and hue where needed.

    What the table's interpolation leaves outside is mixed with the grey of the same luminance,
    just enough, which keeps L to the last bit.
    """
    limit = _chroma_limit(116 * fy - 16, a, b) * _CAUTION
    scale = np.minimum(limit / np.maximum(np.hypot(a, b), 1e-6), 1)
    linear = _coloured(fy, Y, a * scale, b * scale)
    rest = _outside(linear)
    grey = Y[rest]
    offset = linear[:, rest] - grey
    room = np.where(offset > 0, 1 - grey, grey)
    red, green, blue = room / np.maximum(np.abs(offset), 1e-12)
    share = np.minimum(np.minimum(np.minimum(red, green), blue), 1)
    linear[:, rest] = np.clip(grey + share * offset, 0, 1)
    return linear


def _encode(linear: Float, dtype: np.dtype[np.generic]) -> Pixels:
    """Linear light (3, n) in [0, 1] to sRGB pixels (n, 3), rounded; overwrites ``linear``."""
    if np.issubdtype(dtype, np.floating):
        return cast(Pixels, np.clip(color.linear_to_srgb(linear), 0, 1).astype(dtype).T)
    table = _encoded_table(dtype)
    np.sqrt(linear, out=linear)
    linear *= len(table) - 1
    linear += 0.5
    out = np.empty((linear.shape[1], 3), dtype)
    for i in range(3):
        out[:, i] = table[linear[i].astype(np.int32)]
    return cast(Pixels, out)


def coloured_light(Y: Float, fy: Float, ab: Float) -> Float:
    """Linear sRGB of colours inside the gamut that keep their luminance.

    Args:
        Y: (n,) relative luminance in [0, 1].
        fy: (n,) (L + 16) / 116 of the same.
        ab: (2, n) CIE a*b*, any range; where it leaves sRGB, chroma is reduced at constant L and
            hue.

    Returns:
        (3, n) in [0, 1].
    """
    a, b = ab
    linear = _coloured(fy, Y, a, b)
    beyond = _outside(linear)
    if len(beyond):
        linear[:, beyond] = _less_chroma(fy[beyond], Y[beyond], a[beyond], b[beyond])
    return linear


def join_rows(pixels: Pixels, ab: Float) -> Pixels:
    """Give rows of a picture the colours ab, keeping their lightness.

    Args:
        pixels: (rows, width, 1 or 3) sRGB, uint8, uint16, or float in [0, 1].
        ab: (2, rows, width) float32 CIE a*b*, any range.

    Returns:
        sRGB (rows, width, 3) of the same dtype. Where ab is 0 it is the exact grey of the same
        lightness; colours outside sRGB have their chroma reduced at constant L and hue.
    """
    rows, width, _ = pixels.shape
    linear = coloured_light(*_own_light(pixels), ab.reshape(2, -1))
    return _encode(linear, pixels.dtype).reshape(rows, width, 3)


def bands(size: tuple[int, int]) -> list[tuple[int, int]]:
    """Rows (start, stop) of the bands in which a picture of that size is joined."""
    step = max(1, BAND_PIXELS // size[1])
    return [(top, min(top + step, size[0])) for top in range(0, size[0], step)]


def join(pixels: Pixels, chroma: Chroma, pool: Executor | None = None) -> Pixels:
    """Give a whole picture its colours: :func:`join_rows` over all of its bands.

    Args:
        pixels: (height, width, 1 or 3) sRGB, uint8, uint16, or float in [0, 1].
        chroma: the colours, laid over a picture of the same size.
        pool: whose threads do it; the caller's own when None.

    Returns:
        sRGB (height, width, 3) of the same dtype.

    Raises:
        UsageError: the sizes differ.
    """
    if pixels.shape[:2] != chroma.size:
        raise UsageError(f"The picture is {pixels.shape[:2]} but its colours are {chroma.size}.")
    out = np.empty((*chroma.size, 3), pixels.dtype)

    def fill(band: tuple[int, int]) -> None:
        top, bottom = band
        out[top:bottom] = join_rows(pixels[top:bottom], chroma.rows(top, bottom))

    for _ in (pool.map if pool else map)(fill, bands(chroma.size)):
        pass
    return out
