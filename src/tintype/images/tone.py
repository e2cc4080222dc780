"""Is a picture grey, toned (one tint laid over grey: sepia, cyanotype, fading) or in colour?

In a toned picture the colour follows from the lightness: a and b are smooth functions of L. A
picture in colour has pixels of one lightness and several colours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tintype.color import rgb_to_lab

Tone = Literal["grey", "toned", "colour"]

_BINS = 20  # of 5 L each
_FEWEST = 0.005  # share of the pixels that a bin needs to have a say
# The thresholds, in units of CIE ab at a long side of 256 px. Measured on 1,000 colour
# photographs and on historical and synthetic toned ones, JPEG at quality 75: they miss 3 in 100
# colour photographs (nearly all monochrome: fog, snow, one lamp) and take no sepia for colour.
_JUST_VISIBLE = 2.0
_SPREAD, _SPREAD_PER_TONE = 5.0, 0.06
_FAR, _FAR_SHARE = 20.0, 0.001
# Stains and uneven fading change how strong a tint is, seldom its hue: along the tint a
# difference counts less. Full discount from 12 units of tint on, none below 4.
_DISCOUNT, _TINT_FROM, _TINT_FULL = 0.6, 4.0, 12.0


def classify_tone(rgb: NDArray[np.floating]) -> Tone:
    """Tell grey, toned and coloured pictures apart.

    Args:
        rgb: (height, width, 3) sRGB in [0, 1]; a reduced picture of about 256 px is meant, any
            size works.

    Returns:
        "grey": no tint that the eye would notice; "toned": a tint that follows the lightness
        (sepia, cyanotype, selenium, split tones, yellowed paper); "colour": anything else, also
        when only a small object (from a thousandth of the area on) is coloured.
    """
    lab = _halved(np.asarray(rgb_to_lab(np.clip(rgb, 0, 1)), np.float64)).reshape(-1, 3)
    tint = _tint_by_lightness(lab)
    strength = np.hypot(*tint.T)
    distance = _distance(lab[:, 1:] - tint, tint, strength)
    mean = float(strength.mean())
    spread = float(np.percentile(distance, 95))
    if spread > _SPREAD + _SPREAD_PER_TONE * mean or (distance > _FAR).mean() > _FAR_SHARE:
        return "colour"
    return "toned" if mean >= _JUST_VISIBLE else "grey"


def _halved(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2×2 pixels, so that JPEG's coarser chroma still matches its lightness."""
    height, width = (n // 2 * 2 for n in lab.shape[:2])
    if not height or not width:
        return lab
    cells = lab[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    return np.asarray(cells.mean(axis=(1, 3)))


def _tint_by_lightness(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """The typical ab (pixels, 2) at each pixel's lightness: medians of bins, joined by lines."""
    L, ab = lab[:, 0], lab[:, 1:]
    bins = np.clip((L * _BINS / 100).astype(int), 0, _BINS - 1)
    enough = max(4, _FEWEST * len(L))
    used = [i for i, n in enumerate(np.bincount(bins, minlength=_BINS)) if n >= enough]
    if not used:
        return np.broadcast_to(np.median(ab, axis=0), ab.shape)
    medians = np.array([np.median(ab[bins == i], axis=0) for i in used])
    centres = (np.array(used) + 0.5) * 100 / _BINS
    return np.stack([np.interp(L, centres, medians[:, k]) for k in (0, 1)], axis=1)


def _distance(
    off: NDArray[np.float64], tint: NDArray[np.float64], strength: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far each pixel's ab lies from the tint; differences along a clear tint count less."""
    unit = tint / np.maximum(strength, 1e-6)[:, None]
    along = (off * unit).sum(axis=1)
    clear = np.clip((strength - _TINT_FROM) / (_TINT_FULL - _TINT_FROM), 0, 1)
    # A pixel beyond the neutral point has the opposite hue: no discount.
    weight = 1 - _DISCOUNT * np.where(along < -strength, 0, clear)
    return np.asarray(np.sqrt((off**2).sum(axis=1) - along**2 * (1 - weight**2)))
