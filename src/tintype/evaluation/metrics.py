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

_AB_REACH = 300.0  # no picture's ab, predicted or true, comes near: more is another unit


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


def img_dif(picture: Picture8, truth: Picture8) -> float:
    """ImgDif in per cent: 100 · mean |ΔRGB| / 255, what ImgSim leaves of 100.

    Raises:
        UsageError: when the arrays are not uint8 (H, W, 3) of one shape.
    """
    return 100 - img_sim(picture, truth)


def colourfulness(picture: Picture8, absolute: bool = False) -> float:
    """Colourfulness M of Hasler and Süsstrunk 2003, "Measuring colourfulness in natural images".

    Section 7: rg = R - G, yb = (R + G) / 2 - B;
    M = sqrt(var rg + var yb) + 0.3 sqrt((mean rg)² + (mean yb)²), of 8-bit values.

    Args:
        picture: uint8 (H, W, 3).
        absolute: take |rg| and |yb|, as a much copied implementation does and many papers
            therefore report; it gives lower figures and is not the published formula.

    Raises:
        UsageError: when the array is not uint8 (H, W, 3).
    """
    _check(picture, "picture")
    red, green, blue = np.moveaxis(picture.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    if absolute:
        rg, yb = np.abs(rg), np.abs(yb)
    spread = np.hypot(rg.std(), yb.std())
    return float(spread + 0.3 * np.hypot(rg.mean(), yb.mean()))


def _ab_pair(
    ab: NDArray[np.floating], true_ab: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64 after a check."""
    if ab.shape != true_ab.shape or ab.shape[-1] != 2 or not ab.size:
        raise UsageError(f"Two (..., 2) arrays of ab are needed, not {ab.shape}, {true_ab.shape}.")
    pair = np.asarray(ab, np.float64), np.asarray(true_ab, np.float64)
    # A NaN or an infinity passes through a sum, so that two numbers answer for all.
    if (
        not np.isfinite([part.sum() for part in pair]).all()
        or max(np.abs(part).max() for part in pair) > _AB_REACH
    ):
        raise UsageError(f"Values of ab must be finite and within ±{_AB_REACH:.0f}.")
    return pair


def psnr_ab(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> float:
    """PSNR of a and b in dB with the peak 255: 10 log10(255² / mean squared error of ab).

    The peak is that of ab stored in 8 bits (offset 128), as public studies of ab-predicting
    networks store them. Per picture; tables give the mean. Equal arrays give infinity.

    Args:
        ab: (..., 2) in ab units.
        true_ab: the same shape.

    Raises:
        UsageError: when the shapes differ, the last axis is not 2 or values are no ab.
    """
    error = mse_ab(ab, true_ab)
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def mse_ab(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> float:
    """Mean squared error over pixels and over a and b, in squared ab units.

    Args and errors as :func:`psnr_ab`.
    """
    a, b = _ab_pair(ab, true_ab)
    return float(((a - b) ** 2).mean())


def mae_ab(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> float:
    """Mean absolute error over pixels and over a and b, in ab units.

    Args and errors as :func:`psnr_ab`.
    """
    a, b = _ab_pair(ab, true_ab)
    return float(np.abs(a - b).mean())


def delta_e2000(lab: NDArray[np.floating], true_lab: NDArray[np.floating]) -> NDArray[np.float64]:
    """CIEDE2000 colour difference of every pixel, kL = kC = kH = 1.

    Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula", eq. 2 to 22, checked
    against that paper's 34 pairs. About 1 is just visible, 2 to 10 is seen at a glance.

    Args:
        lab: (..., 3) CIE Lab, D65.
        true_lab: the same shape.

    Returns:
        (...) float64, 0 or more.

    Raises:
        UsageError: when the shapes differ or the last axis is not 3.
    """
    if lab.shape != true_lab.shape or lab.shape[-1] != 3:
        raise UsageError(f"Two (..., 3) arrays of Lab are needed, not {lab.shape}.")
    for part in (lab, true_lab):
        if not (np.abs(part) <= _AB_REACH).all():
            raise UsageError(f"Values of Lab must be finite and within ±{_AB_REACH:.0f}.")
    L1, a1, b1 = np.moveaxis(np.asarray(lab, np.float64), -1, 0)
    L2, a2, b2 = np.moveaxis(np.asarray(true_lab, np.float64), -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean_c7 / (mean_c7 + 25.0**7))  # 1 + G
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)
    product = c1 * c2
    turn = np.where(product == 0, 0.0, (h2 - h1 + np.pi) % (2 * np.pi) - np.pi)
    # The mean hue lies halfway along the shorter turn; of a grey the other's hue counts.
    hue = np.where(product == 0, np.where(c1 == 0, h2, h1), h1 + turn / 2)
    dL, dC, dH = L2 - L1, c2 - c1, 2 * np.sqrt(product) * np.sin(turn / 2)
    mean_L, mean_C = (L1 + L2) / 2 - 50, (c1 + c2) / 2
    T = (
        1
        - 0.17 * np.cos(hue - np.pi / 6)
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.pi / 30)
        - 0.20 * np.cos(4 * hue - 63 * np.pi / 180)
    )
    degrees = np.degrees(hue) % 360
    twist = np.pi / 3 * np.exp(-(((degrees - 275) / 25) ** 2))  # 2 Δθ
    rotation = -np.sin(twist) * 2 * np.sqrt(mean_C**7 / (mean_C**7 + 25.0**7))
    dL = dL / (1 + 0.015 * mean_L**2 / np.sqrt(20 + mean_L**2))
    dC, dH = dC / (1 + 0.045 * mean_C), dH / (1 + 0.015 * mean_C * T)
    square = dL**2 + dC**2 + dH**2 + rotation * dC * dH
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def accuracy_curve(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> NDArray[np.float64]:
    """The raw accuracy curve (Zhang 2016, section 3.1): part of pixels whose ab error is within t.

    Args:
        ab: (..., 2) predicted colours in ab units.
        true_ab: the same shape.

    Returns:
        (151,) float64 in [0, 1] for t = 0, 1, ..., 150 ab units (Euclidean distance).

    Raises:
        UsageError: when the shapes differ, the last axis is not 2 or values are no ab.
    """
    return curve_of(np.bincount(error_steps(ab, true_ab)))


def curve_of(counts: NDArray[np.integer] | NDArray[np.floating]) -> NDArray[np.float64]:
    """The raw accuracy curve of pixels counted by :func:`error_steps`.

    Args:
        counts: (up to 152,) how many pixels are first right at each threshold.

    Returns:
        (151,) float64 in [0, 1].
    """
    every = np.zeros(AUC_THRESHOLDS + 2)
    every[: len(counts)] = counts
    return np.asarray(np.cumsum(every)[:-1] / every.sum())


def error_steps(ab: NDArray[np.floating], true_ab: NDArray[np.floating]) -> NDArray[np.int64]:
    """The smallest whole threshold that each pixel's ab error is within; 151 for none up to 150.

    Args and errors as :func:`accuracy_curve`.

    Returns:
        (n,) int64 in 0..151.
    """
    a, b = _ab_pair(ab, true_ab)
    error = np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1]).ravel()
    return np.minimum(np.ceil(error), AUC_THRESHOLDS + 1).astype(np.int64)


def auc(curve: NDArray[np.floating]) -> float:
    """Area under an accuracy curve in per cent: the mean height, by the trapezoidal rule.

    Args:
        curve: (151,) as :func:`accuracy_curve` gives it, of one picture or averaged over many.

    Raises:
        UsageError: when it is no such curve.
    """
    if curve.shape != (AUC_THRESHOLDS + 1,) or not ((curve >= 0) & (curve <= 1)).all():
        raise UsageError(f"An accuracy curve is {AUC_THRESHOLDS + 1} parts in [0, 1].")
    return 100 * float(((curve[1:] + curve[:-1]) / 2).mean())


def class_counts(
    steps: NDArray[np.int64], bins: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """How many pixels of each class of colour are first right at each threshold.

    Args:
        steps: (n,) as :func:`error_steps` gives them.
        bins: (n,) the true colours' bins, in 0..classes-1.
        classes: 313.

    Returns:
        (classes, 152) int64; sums over pictures give a whole set's.
    """
    columns = AUC_THRESHOLDS + 2
    flat = np.bincount(bins * columns + steps, minlength=classes * columns)
    return flat.reshape(classes, columns)


def rebalanced_curve(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rebalanced accuracy curve (Zhang 2016, section 3.1) of a whole set.

    Every pixel weighs the inverse of its class's frequency in the test set itself, so that every
    class that occurs weighs the same: the mean of the classes' own curves. (Weights from another
    set's prior, as published figures used, give other figures: compare within one table only.)

    Args:
        counts: (313, 152) sums of :func:`class_counts` over the set.

    Returns:
        (151,) float64 in [0, 1].

    Raises:
        UsageError: when nothing was counted.
    """
    totals = counts.sum(axis=1)
    present = totals > 0
    if not present.any():
        raise UsageError("There are no pixels to measure accuracy on.")
    right = np.cumsum(counts[present], axis=1)[:, : AUC_THRESHOLDS + 1]
    return np.asarray((right / totals[present, None]).mean(axis=0))
