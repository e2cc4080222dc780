"""The columns of every table of the bench, and what one picture scores in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.bins import bin_of_colour, in_gamut_centres
from tintype.color import rgb_to_lab
from tintype.evaluation import metrics
from tintype.evaluation.fairness import FaceFigures, TrueSkin, find_skin, measure_skin
from tintype.evaluation.metrics import Picture8
from tintype.evaluation.results import Metric

LARGEST_PSNR = 100.0
"""dB that a perfect picture counts as, so that a mean stays a number."""

COLUMNS: tuple[Metric, ...] = (
    Metric(
        "psnr",
        "PSNR",
        "dB",
        "higher",
        2,
        "10 log10(255² / mean squared error over 8-bit RGB), per picture (at most 100), then mean.",
        main=True,
    ),
    Metric(
        "ssim",
        "SSIM",
        "",
        "higher",
        4,
        "Wang 2004 by scikit-image: 7×7 uniform window, data_range 255, mean over R, G and B.",
        main=True,
    ),
    Metric(
        "delta_e",
        "ΔE2000",
        "",
        "lower",
        2,
        "CIEDE2000 of every pixel (Sharma 2005, kL = kC = kH = 1), mean, then mean of pictures.",
        main=True,
    ),
    Metric(
        "delta_e_p95",
        "ΔE2000, 95th percentile",
        "",
        "lower",
        2,
        "The 95th percentile of a picture's CIEDE2000, then mean of pictures.",
    ),
    Metric(
        "colourfulness",
        "Colourfulness",
        "",
        "truth",
        1,
        "Hasler and Süsstrunk 2003, section 7, signed as published.",
        main=True,
    ),
    Metric(
        "colourfulness_absolute",
        "Colourfulness, absolute",
        "",
        "truth",
        1,
        "The same with |rg| and |yb|, as many papers computed theirs.",
    ),
    Metric(
        "colourfulness_gap",
        "Colourfulness less the truth's",
        "",
        "neither",
        1,
        "Signed colourfulness of the result less that of the truth; 0 is as colourful.",
    ),
    Metric(
        "auc",
        "AuC",
        "%",
        "higher",
        1,
        "Zhang 2016, section 3.1: part of the pixels whose ab error is within t, averaged over "
        "t = 0..150.",
        main=True,
    ),
    Metric(
        "img_sim",
        "ImgSim",
        "%",
        "higher",
        2,
        "100 (1 - mean |ΔRGB| / 255) over pixels and channels. Public studies print 66.88 "
        "(ResNet-18 regression) and 64.31 (U-Net classes) for 256×256 pictures of Places: other "
        "pictures, and the grey row says what no colour at all scores here.",
        main=True,
    ),
    Metric("img_dif", "ImgDif", "%", "lower", 2, "100 less ImgSim."),
    Metric(
        "psnr_ab",
        "PSNR of ab",
        "dB",
        "higher",
        2,
        "10 log10(255² / mean squared error of a and b), per picture (at most 100), then mean.",
    ),
    Metric("mae_ab", "MAE of ab", "ab", "lower", 2, "Mean |Δa|, |Δb| over pixels and channels."),
    Metric("mse_ab", "MSE of ab", "ab²", "lower", 1, "Mean Δa², Δb² over pixels and channels."),
)
"""What is computed of each picture alone, in this order."""

REBALANCED = Metric(
    "auc_rebalanced",
    "AuC, rebalanced",
    "%",
    "higher",
    1,
    "AuC with each of the 313 bins that occurs in the set weighing the same (the set's own "
    "frequencies); comparable within one table only.",
    main=True,
)
"""The one column that belongs to a whole set and not to its pictures."""

TRUE_COLUMNS = ("colourfulness", "colourfulness_absolute")
"""Columns in which the true pictures have figures of their own."""


@dataclass(frozen=True)
class Truth:
    """What belongs to a true picture, computed once and shared by all models.

    Attributes:
        rgb: uint8 (H, W, 3), sRGB.
        lab: float64 (H, W, 3).
        bins: (H·W,) the bin of each pixel's ab, 0..312.
        skin: where its faces' skin is.
        figures: in ``TRUE_COLUMNS``.
    """

    rgb: Picture8
    lab: NDArray[np.float64]
    bins: NDArray[np.int64]
    skin: TrueSkin
    figures: tuple[float, ...]

    @classmethod
    def of(cls, rgb: Picture8) -> Truth:
        """Compute it all from the pixels."""
        lab = np.asarray(rgb_to_lab(rgb / 255.0), np.float64)
        figures = (metrics.colourfulness(rgb), metrics.colourfulness(rgb, absolute=True))
        return cls(rgb, lab, bin_of_colour(lab[..., 1:]).ravel(), find_skin(rgb), figures)


@dataclass(frozen=True)
class Score:
    """What one picture of one model scored.

    Attributes:
        values: (len(COLUMNS),) float64.
        cells: where ``metrics.class_counts`` is not zero, flat index.
        counts: how many pixels there.
        faces: how its faces were coloured.
    """

    values: NDArray[np.float64]
    cells: NDArray[np.int32]
    counts: NDArray[np.int32]
    faces: tuple[FaceFigures, ...]


def score(result: Picture8, truth: Truth) -> Score:
    """Score a coloured picture against the true one.

    Args:
        result: uint8 of the truth's shape.
        truth: as :meth:`Truth.of` gives it.
    """
    lab = rgb_to_lab(result / 255.0)
    ab, true_ab = lab[..., 1:], truth.lab[..., 1:]
    difference = metrics.delta_e2000(lab, truth.lab)
    steps = metrics.error_steps(ab, true_ab)
    flat = metrics.class_counts(steps, truth.bins, len(in_gamut_centres())).ravel()
    cells = np.flatnonzero(flat)
    similarity = metrics.img_sim(result, truth.rgb)
    colourful = metrics.colourfulness(result)
    values = {
        "psnr": min(LARGEST_PSNR, metrics.psnr(result, truth.rgb)),
        "ssim": metrics.ssim(result, truth.rgb),
        "delta_e": float(difference.mean()),
        "delta_e_p95": float(np.percentile(difference, 95)),
        "colourfulness": colourful,
        "colourfulness_absolute": metrics.colourfulness(result, absolute=True),
        "colourfulness_gap": colourful - truth.figures[0],
        "auc": metrics.auc(metrics.curve_of(np.bincount(steps))),
        "img_sim": similarity,
        "img_dif": 100 - similarity,
        "psnr_ab": min(LARGEST_PSNR, metrics.psnr_ab(ab, true_ab)),
        "mae_ab": metrics.mae_ab(ab, true_ab),
        "mse_ab": metrics.mse_ab(ab, true_ab),
    }
    return Score(
        np.array([values[column.key] for column in COLUMNS]),
        cells.astype(np.int32),
        flat[cells].astype(np.int32),
        measure_skin(result, truth.rgb, truth.skin),
    )
