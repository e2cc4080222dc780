"""What an embedded ICC profile means for a picture, and how to go to sRGB and back through it.

Matrix profiles (every RGB working space is one) are evaluated exactly here: a curve, a 3×3 matrix
in linear light, a curve, at 16 bits. Profiles made of tables (CMYK, some scanners) go through
libvips's colour engine, one way only.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

from tintype.color import linear_to_srgb

# The sRGB primaries adapted to the D50 of the profile connection space, as ICC sRGB profiles
# store them (ICC.1:2022, annex E; columns are red, green, blue).
_SRGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
# Profiles that call themselves sRGB differ by up to this much, in linear light and in 8-bit steps.
_SAME_MATRIX = 0.01
_SAME_CURVE_8BIT = 1.5
# How far outside [0, 1] of linear sRGB a corner must lie to make a profile wide-gamut.
_WIDE = 0.03
_HEADER_BYTES = 128

Role = Literal["none", "convert", "wide"]


@dataclass(frozen=True)
class MatrixProfile:
    """An RGB profile of three curves and a matrix.

    Attributes:
        curves: (65536, 3) uint16, the file's value -> the sRGB-encoded value of the same light.
        to_srgb: (3, 3), linear RGB of the profile -> linear sRGB; rows sum to 1 (grey stays grey).
    """

    curves: NDArray[np.uint16]
    to_srgb: NDArray[np.float64]

    def is_srgb(self) -> bool:
        """Whether the profile is sRGB under whatever name."""
        return bool(
            np.abs(self.to_srgb - np.eye(3)).max() < _SAME_MATRIX and is_identity(self.curves)
        )

    def is_wide(self) -> bool:
        """Whether one of its corner colours lies outside sRGB."""
        corners = np.array([[(i >> c) & 1 for c in range(3)] for i in range(8)], float)
        linear = corners @ self.to_srgb.T
        return bool(linear.min() < -_WIDE or linear.max() > 1 + _WIDE)


def is_identity(curves: NDArray[np.uint16]) -> bool:
    """Whether curves (65536, ...) uint16 leave every 8-bit value where it is."""
    straight = np.arange(65536).reshape(-1, *[1] * (curves.ndim - 1))
    return bool(np.abs(curves.astype(np.int64) - straight).max() <= _SAME_CURVE_8BIT * 257)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The tag table of an ICC profile (ICC.1:2022, section 7.3); empty when it is damaged."""
    if len(profile) < _HEADER_BYTES + 4 or profile[36:40] != b"acsp":
        return {}
    count = struct.unpack_from(">I", profile, _HEADER_BYTES)[0]
    tags = {}
    for i in range(min(count, 200)):
        start = _HEADER_BYTES + 4 + 12 * i
        if start + 12 > len(profile):
            break
        name, offset, size = struct.unpack_from(">4sII", profile, start)
        tags[name] = profile[offset : offset + size]
    return tags


def colour_space(profile: bytes) -> str:
    """The four-letter data colour space of a profile: "RGB ", "GRAY", "CMYK"..."""
    return profile[16:20].decode("latin-1")


def _curve(tag: bytes) -> NDArray[np.float64] | None:
    """A tone curve as linear light in [0, 1] at 65536 steps (ICC.1:2022, 10.6 and 10.18)."""
    x = np.linspace(0, 1, 65536)
    try:
        if tag[:4] == b"curv":
            count = struct.unpack_from(">I", tag, 8)[0]
            if count == 0:
                return x
            values = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
            if count == 1:
                return np.asarray(x ** (values[0] / 256))
            return np.interp(x, np.linspace(0, 1, count), values / 65535)
        if tag[:4] == b"para":
            return _parametric(x, tag)
    except (struct.error, ValueError, IndexError, ArithmeticError):
        pass
    return None


def _parametric(x: NDArray[np.float64], tag: bytes) -> NDArray[np.float64]:
    """The five function types of parametricCurveType (ICC.1:2022, table 70)."""
    kind = struct.unpack_from(">H", tag, 8)[0]
    n = (1, 3, 4, 5, 7)[kind]
    given = np.frombuffer(tag, ">i4", n, 12) / 65536
    g, a, b, c, d, e, f = np.append(given, (1, 0, 0, 0, 0, 0, 0)[n:]).tolist()
    if kind in (1, 2):
        # Types 1 and 2 switch where the power's base becomes zero, to 0 or to the constant c.
        d, e, f, c = -b / a, c, c, 0.0
    power = np.clip(a * x + b, 0, None) ** g if kind else x**g
    return np.asarray(power if kind == 0 else np.where(x >= d, power + e, c * x + f))


def _as_srgb_curve(tag: bytes) -> NDArray[np.uint16] | None:
    linear = _curve(tag)
    if linear is None:
        return None
    encoded = linear_to_srgb(np.clip(linear, 0, 1))
    return np.asarray(np.rint(encoded * 65535), np.uint16)


def _colorant(tag: bytes) -> list[float]:
    return [v / 65536 for v in struct.unpack_from(">3i", tag, 8)]


@lru_cache(maxsize=8)
def matrix_profile(profile: bytes) -> MatrixProfile | None:
    """Read an RGB matrix profile; None when it is of another kind or damaged."""
    tags = _tags(profile)
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    if colour_space(profile) != "RGB " or b"A2B0" in tags or any(n not in tags for n in names):
        return None
    curves = [_as_srgb_curve(tags[n]) for n in names[3:]]
    try:
        colorants = np.array([_colorant(tags[n]) for n in names[:3]]).T
        to_srgb = np.linalg.solve(_SRGB_TO_D50, colorants)
        np.linalg.inv(to_srgb)
    except (struct.error, np.linalg.LinAlgError):
        return None
    sums = to_srgb.sum(axis=1, keepdims=True)
    if any(c is None for c in curves) or np.abs(sums - 1).max() > 0.1:
        return None
    return MatrixProfile(np.stack([c for c in curves if c is not None], axis=1), to_srgb / sums)


@lru_cache(maxsize=8)
def grey_curve(profile: bytes) -> NDArray[np.uint16] | None:
    """The curve that takes one grey channel under a profile to sRGB grey.

    Args:
        profile: a grey profile, or an RGB matrix profile on a grey picture.

    Returns:
        (65536,) uint16, or None when nothing changes (sRGB's own curve, or no usable profile).
    """
    space = colour_space(profile)
    curve = None
    if space == "GRAY":
        curve = _as_srgb_curve(_tags(profile).get(b"kTRC", b""))
    elif space == "RGB " and (matrix := matrix_profile(profile)):
        curve = matrix.curves[:, 1]
    return None if curve is None or is_identity(curve) else curve


@lru_cache(maxsize=8)
def role_of_rgb(profile: bytes | None) -> Role:
    """What a profile on an RGB picture asks for.

    Returns:
        "none": it is sRGB, or cannot be used on RGB; "convert": go to sRGB and leave it;
        "wide": go to sRGB for the work and come back through the profile.
    """
    if profile is None or colour_space(profile) != "RGB ":
        return "none"
    matrix = matrix_profile(profile)
    if matrix is None:
        return "convert" if _usable(profile) else "none"
    if matrix.is_srgb():
        return "none"
    return "wide" if matrix.is_wide() else "convert"


def _usable(profile: bytes) -> bool:
    """Whether libvips can apply a table profile to RGB."""
    patch = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    try:
        through_tables(with_profile(patch, profile)).avg()
    except pyvips.Error:
        return False
    return True


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The small sRGB profile that results carry."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def with_profile(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """A copy of the image that carries the profile."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image


def apply_curve(image: pyvips.Image, curve: NDArray[np.uint16]) -> pyvips.Image:
    """Send each value of a uchar or ushort image through (65536,) or (65536, bands) uint16.

    Returns:
        A ushort image.
    """
    table = curve.reshape(1, 65536, -1)
    if image.format == "uchar":
        table = table[:, ::257]
    return image.maplut(pyvips.Image.new_from_array(np.ascontiguousarray(table)))


def rgb_to_srgb(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """RGB under a profile to sRGB at 16 bits; colours outside sRGB are clipped."""
    matrix = matrix_profile(profile)
    if matrix is None:
        return through_tables(with_profile(image, profile))
    encoded = apply_curve(image, matrix.curves).copy(interpretation="rgb16")
    return _recombined(encoded, matrix.to_srgb)


def srgb_to_rgb(image: pyvips.Image, profile: bytes) -> pyvips.Image:
    """sRGB (uchar or ushort) to RGB under a matrix profile, at 16 bits.

    Raises:
        ValueError: the profile is no matrix profile.
    """
    matrix = matrix_profile(profile)
    if matrix is None:
        raise ValueError("only matrix profiles can be written through")
    encoded = _recombined(image, np.asarray(np.linalg.inv(matrix.to_srgb), np.float64))
    inverse = np.stack([_inverted(matrix.curves[:, c]) for c in range(3)], axis=1)
    return apply_curve(encoded, inverse).copy(interpretation="rgb16")


def _recombined(image: pyvips.Image, matrix: NDArray[np.float64]) -> pyvips.Image:
    """Multiply linear light by a matrix: sRGB-encoded in, sRGB-encoded ushort out."""
    return image.colourspace("scrgb").recomb(matrix.tolist()).scRGB2sRGB(depth=16)


def _inverted(curve: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The inverse of a rising curve, (65536,) uint16 both ways."""
    rising = np.maximum.accumulate(curve).astype(np.float64)
    # Equal values in a row would make the answer ambiguous: the slightest slope decides.
    rising += np.linspace(0, 1e-3, 65536)
    inverse = np.interp(np.arange(65536), rising, np.arange(65536))
    return np.asarray(np.rint(inverse), np.uint16)


def through_tables(image: pyvips.Image) -> pyvips.Image:
    """CMYK or RGB with an embedded table profile to sRGB at 16 bits.

    CMYK without a profile is taken as libvips's own default CMYK.
    """
    fallback = "cmyk" if image.interpretation == "cmyk" else "srgb"
    return image.icc_transform(
        "srgb",
        embedded=True,
        input_profile=fallback,
        intent="relative",
        black_point_compensation=True,
        depth=16,
    )
