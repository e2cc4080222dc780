"""How colour spaces turn into one another: sRGB, linear light, XYZ, CIE Lab (D65), luma.

Every function takes NumPy arrays or torch tensors and returns the same kind; ``axis`` is the
channel axis (-1 for pictures (H, W, 3), 1 for batches (N, 3, H, W)). Floating dtypes are kept.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", NDArray[np.floating], "torch.Tensor")

Luma = Literal["bt601", "bt709", "bt2020"]

# The sRGB primaries (ITU-R BT.709) and the D65 white of IEC 61966-2-1: xy chromaticities.
# The matrix is derived from them in double precision instead of the four rounded digits of the
# standard, so that grey has exactly a* = b* = 0 and both directions are inverse to each other.
_PRIMARIES_XY = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06]])
_WHITE_XY = np.array([0.3127, 0.3290])


def _xyz_of(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """XYZ (..., 3) with Y = 1 of chromaticities xy (..., 2)."""
    x, y = xy[..., 0], xy[..., 1]
    return np.stack([x / y, np.ones_like(x), (1 - x - y) / y], axis=-1)


D65_WHITE: NDArray[np.float64] = _xyz_of(_WHITE_XY)
"""XYZ of the D65 white point, (3,), Y = 1: about (0.9505, 1, 1.0891)."""

_columns = _xyz_of(_PRIMARIES_XY).T
SRGB_TO_XYZ: NDArray[np.float64] = _columns * np.linalg.solve(_columns, D65_WHITE)
"""Linear sRGB to XYZ, (3, 3); its middle row is luminance, about (0.2126, 0.7152, 0.0722)."""

XYZ_TO_SRGB: NDArray[np.float64] = np.linalg.inv(SRGB_TO_XYZ).astype(np.float64)
"""XYZ to linear sRGB, (3, 3)."""

LUMA_WEIGHTS: dict[Luma, tuple[float, float, float]] = {
    "bt601": (0.299, 0.587, 0.114),  # ITU-R BT.601-7, section 2.5.1
    "bt709": (0.2126, 0.7152, 0.0722),  # ITU-R BT.709-6, item 3.2
    "bt2020": (0.2627, 0.6780, 0.0593),  # ITU-R BT.2020-2, table 4
}
"""Weights of R'G'B' in luma Y', by standard."""

# CIE 15:2004, section 8.2.1, with the exact fractions.
_EPSILON = (6 / 29) ** 3
_KAPPA = (29 / 3) ** 3
_LINEAR_BELOW = 6 / 29


def _library(x: object) -> ModuleType:
    """NumPy, or torch when x is a tensor (this module itself never imports torch)."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def _where(condition: object, yes: Array, no: Array) -> Array:
    return cast(Array, _library(yes).where(condition, yes, no))


def _apply(matrix: NDArray[np.float64], x: Array, axis: int) -> Array:
    """Multiply the three channels along ``axis`` by a 3×3 matrix."""
    r, g, b = _split(x, axis)
    m = matrix.tolist()
    rows = (
        m[0][0] * r + m[0][1] * g + m[0][2] * b,
        m[1][0] * r + m[1][1] * g + m[1][2] * b,
        m[2][0] * r + m[2][1] * g + m[2][2] * b,
    )
    return _stack(rows, axis)


def _split(x: Array, axis: int) -> tuple[Array, Array, Array]:
    if _library(x) is np:
        channels = tuple(np.take(cast(NDArray[np.floating], x), i, axis) for i in range(3))
    else:
        channels = cast("torch.Tensor", x).unbind(axis)
    return cast(tuple[Array, Array, Array], channels)


def _stack(channels: tuple[Array, Array, Array], axis: int) -> Array:
    return cast(Array, _library(channels[0]).stack(channels, axis))


def srgb_to_linear(x: Array) -> Array:
    """Undo the sRGB transfer curve (IEC 61966-2-1, section 5.2).

    Args:
        x: any shape, sRGB values; [0, 1] is the displayable range, outside it the curve is odd.

    Returns:
        Linear light, same shape; negative values stay negative.
    """
    lib = _library(x)
    size = lib.abs(x)
    # The power's base is kept above zero so that its gradient stays finite.
    curved = (lib.clip(size, 0.04045, None) + 0.055) / 1.055
    return _where(size <= 0.04045, x / 12.92, lib.sign(x) * curved**2.4)


def linear_to_srgb(x: Array) -> Array:
    """Apply the sRGB transfer curve (IEC 61966-2-1, section 5.2).

    Args:
        x: any shape, linear light; [0, 1] is displayable, outside it the curve is odd.

    Returns:
        sRGB values, same shape, not clipped.
    """
    lib = _library(x)
    size = lib.abs(x)
    curved = 1.055 * lib.clip(size, 0.0031308, None) ** (1 / 2.4) - 0.055
    return _where(size <= 0.0031308, x * 12.92, lib.sign(x) * curved)


def linear_to_xyz(rgb: Array, axis: int = -1) -> Array:
    """Linear sRGB to CIE XYZ relative to D65, Y of white = 1."""
    return _apply(SRGB_TO_XYZ, rgb, axis)


def xyz_to_linear(xyz: Array, axis: int = -1) -> Array:
    """CIE XYZ (Y of white = 1) to linear sRGB, not clipped."""
    return _apply(XYZ_TO_SRGB, xyz, axis)


def _f(t: Array) -> Array:
    """The companding function of CIE Lab."""
    lib = _library(t)
    return _where(t > _EPSILON, lib.clip(t, _EPSILON, None) ** (1 / 3), (_KAPPA * t + 16) / 116)


def _f_inverse(t: Array) -> Array:
    return _where(t > _LINEAR_BELOW, t**3, (116 * t - 16) / _KAPPA)


def xyz_to_lab(xyz: Array, axis: int = -1) -> Array:
    """CIE XYZ to CIE L*a*b* (CIE 15:2004, eq. 8.3 to 8.8), white point D65.

    Args:
        xyz: three channels along ``axis``, Y of white = 1.
        axis: the channel axis.

    Returns:
        Lab along the same axis: L in [0, 100], a and b about [-110, 110] for sRGB colours.
    """
    x, y, z = _split(xyz, axis)
    fx, fy, fz = _f(x / float(D65_WHITE[0])), _f(y), _f(z / float(D65_WHITE[2]))
    return _stack((116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)), axis)


def lab_to_xyz(lab: Array, axis: int = -1) -> Array:
    """CIE L*a*b* (D65) to CIE XYZ, the inverse of :func:`xyz_to_lab`; not clipped."""
    L, a, b = _split(lab, axis)
    fy = (L + 16) / 116
    x, y, z = _f_inverse(fy + a / 500), _f_inverse(fy), _f_inverse(fy - b / 200)
    return _stack((x * float(D65_WHITE[0]), y, z * float(D65_WHITE[2])), axis)


def rgb_to_lab(rgb: Array, axis: int = -1) -> Array:
    """sRGB in [0, 1] to CIE L*a*b* (D65), three channels along ``axis``."""
    return xyz_to_lab(linear_to_xyz(srgb_to_linear(rgb), axis), axis)


def lab_to_rgb(lab: Array, axis: int = -1) -> Array:
    """CIE L*a*b* (D65) to sRGB; colours outside the gamut leave [0, 1] and are not clipped."""
    return linear_to_srgb(xyz_to_linear(lab_to_xyz(lab, axis), axis))


def luminance_to_lightness(Y: Array) -> Array:
    """CIE lightness L* in [0, 100] of relative luminance Y in [0, 1], any shape."""
    return 116 * _f(Y) - 16


def lightness_to_luminance(L: Array) -> Array:
    """Relative luminance Y in [0, 1] of CIE lightness L* in [0, 100], any shape."""
    return _f_inverse((L + 16) / 116)


def luma(rgb: Array, standard: Luma = "bt601", axis: int = -1) -> Array:
    """Luma Y' of gamma-encoded R'G'B' (ITU-R BT.601-7, BT.709-6 or BT.2020-2).

    Args:
        rgb: three channels along ``axis``, any range.
        standard: whose weights.
        axis: the channel axis, which the result lacks.

    Returns:
        Y' in the range of the input.
    """
    red, green, blue = _split(rgb, axis)
    r, g, b = LUMA_WEIGHTS[standard]
    return r * red + g * green + b * blue


def rgb_to_ycbcr(rgb: Array, standard: Luma = "bt601", axis: int = -1) -> Array:
    """R'G'B' in [0, 1] to Y' in [0, 1] and Cb, Cr in [-0.5, 0.5] (BT.601-7 section 2.5.1-2)."""
    red, _, blue = _split(rgb, axis)
    kr, _, kb = LUMA_WEIGHTS[standard]
    y = luma(rgb, standard, axis)
    return _stack((y, (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))), axis)


def ycbcr_to_rgb(ycbcr: Array, standard: Luma = "bt601", axis: int = -1) -> Array:
    """Y' in [0, 1], Cb and Cr in [-0.5, 0.5] to R'G'B', not clipped."""
    y, cb, cr = _split(ycbcr, axis)
    kr, kg, kb = LUMA_WEIGHTS[standard]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return _stack((red, (y - kr * red - kb * blue) / kg, blue), axis)


def largest_chroma(L: NDArray[np.floating], hue: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest chroma C*ab that sRGB can show at a lightness and hue.

    Found by bisection on the line from grey outwards, to 200 / 2**24.

    Args:
        L: CIE lightness in [0, 100], broadcasts against ``hue``.
        hue: hue angle h_ab in radians.

    Returns:
        Chroma in [0, 200], the broadcast shape; 0 at black and at white.
    """
    L, hue = np.broadcast_arrays(np.asarray(L, np.float64), np.asarray(hue, np.float64))
    low, high = np.zeros(L.shape), np.full(L.shape, 200.0)
    direction = np.stack([np.zeros(L.shape), np.cos(hue), np.sin(hue)], axis=-1)
    grey = np.stack([L, np.zeros(L.shape), np.zeros(L.shape)], axis=-1)
    for _ in range(24):
        middle = (low + high) / 2
        rgb = xyz_to_linear(lab_to_xyz(grey + middle[..., None] * direction))
        inside = ((rgb >= 0) & (rgb <= 1)).all(axis=-1)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(low, np.float64)
