"""How good colours are: the metrics of every table, each with its formula and protocol.

Pictures are uint8 sRGB (H, W, 3), compared pixel by pixel at the size given; all pixels count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.errors import MissingExtra, UsageError

Picture8 = NDArray[np.uint8]

AUC_THRESHOLDS = 150
"""The accuracy curve of Zhang 2016 sweeps thresholds of 0 to 150 ab units."""


def _pair(picture: Picture8, truth: Picture8) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64, so that uint8 differences cannot wrap."""
    for name, array in (("picture", picture), ("truth", truth)):
        _check(array, name)
    if picture.shape != truth.shape:
        raise UsageError(f"The picture is {picture.shape} but the truth is {truth.shape}.")
    return picture.astype(np.float64), truth.astype(np.float64)


def _check(array: Picture8, name: str) -> None:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise UsageError(f"The {name} must be uint8 (H, W, 3), not {array.dtype} {array.shape}.")


def psnr(picture: Picture8, truth: Picture8) -> float:
    """Peak signal-to-noise ratio in dB over 8-bit RGB: 10 log10(255² / mean squared error).

    Computed per picture; tables give the mean over pictures. Identical pictures give infinity.

    Raises:
        UsageError: when the arrays are not uint8 (H, W, 3) of one shape.
    """
    a, b = _pair(picture, truth)
    error = float(((a - b) ** 2).mean())
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim(picture: Picture8, truth: Picture8) -> float:
    """Structural similarity (Wang 2004) as scikit-image computes it on RGB.

    Uniform 7×7 window, data_range 255, mean over the three channels. Since Tintype keeps the
    lightness, it measures little but colour noise.

    Raises:
        UsageError: when the arrays are not uint8 (H, W, 3) of one shape, or under 7 px.
        MissingExtra: without scikit-image.
    """
    _pair(picture, truth)
    if min(picture.shape[:2]) < 7:
        raise UsageError("SSIM needs pictures of at least 7×7 px.")
    try:
        from skimage.metrics import structural_similarity
    except ModuleNotFoundError as error:
        raise MissingExtra("SSIM", "eval") from error
    return float(structural_similarity(picture, truth, channel_axis=2, data_range=255))


def img_sim(picture: Picture8, truth: Picture8) -> float:
    """ImgSim in per cent: 100 · (1 - mean |ΔRGB| / 255) over pixels and channels.

    Raises:
        UsageError: when the arrays are not uint8 (H, W, 3) of one shape.
    """
    a, b = _pair(picture, truth)
    return 100 * (1 - float(np.abs(a - b).mean()) / 255)


def colourfulness(picture: Picture8) -> float:
    """Colourfulness M of Hasler and Süsstrunk 2003, signed: eq. in section 7.

    rg = R - G, yb = (R + G) / 2 - B; M = sqrt(var rg + var yb) + 0.3 sqrt(mean rg² + mean yb²),
    with the means squared after averaging. (Many papers take absolute values first, which gives
    lower figures.)

    Raises:
        UsageError: when the array is not uint8 (H, W, 3).
    """
    _check(picture, "picture")
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = np.hypot(rg.std(), yb.std())
    return float(spread + 0.3 * np.hypot(rg.mean(), yb.mean()))


def accuracy_curve(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> NDArray[np.float64]:
    """The raw accuracy curve (Zhang 2016, section 3.1): part of pixels whose ab error is within t.

    Args:
        ab: (..., 2) predicted colours in ab units.
        true_ab: the same shape.

    Returns:
        (151,) float64 in [0, 1] for t = 0, 1, ..., 150 ab units (Euclidean distance).

    Raises:
        UsageError: when the shapes differ or the last axis is not 2.
    """
    if ab.shape != true_ab.shape or ab.shape[-1] != 2:
        raise UsageError(f"The curve needs two (..., 2) arrays, not {ab.shape}, {true_ab.shape}.")
    error = np.hypot(*np.moveaxis(np.asarray(ab, np.float64) - true_ab, -1, 0)).ravel()
    edges = np.concatenate([np.arange(AUC_THRESHOLDS + 1), [np.inf]])
    # Bin k holds errors in (k-1, k], so that the running sum counts errors <= t.
    counts = np.bincount(np.searchsorted(edges, error, side="left"), minlength=len(edges))
    return np.asarray(np.cumsum(counts)[: AUC_THRESHOLDS + 1] / error.size)


def auc(curve: NDArray[np.floating]) -> float:
    """Area under an accuracy curve in per cent: the mean height, by the trapezoidal rule.

    Args:
        curve: (151,) as :func:`accuracy_curve` gives it, of one picture or averaged over many.
    """
    return 100 * float(((curve[1:] + curve[:-1]) / 2).mean())
