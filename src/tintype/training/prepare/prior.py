"""How often each colour occurs in a set: the 313 ab bins as a plot, each in its own colour."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tintype.bins import in_gamut_centres
from tintype.color import lab_to_rgb, rgb_to_lab

_RAREST = 1e-7  # a share of the pixels that is drawn as the smallest dot
_LARGEST_PT2 = 190.0  # of a dot: neighbours, 10 ab units apart, just touch


def colours_of_bins() -> NDArray[np.float64]:
    """The 313 bins as sRGB (313, 3) in [0, 1], each at the lightness where sRGB shows it best."""
    centres = in_gamut_centres().astype(np.float64)
    levels = np.arange(20.0, 96.0, 2.5)
    lab = np.empty((len(levels), len(centres), 3))
    lab[..., 0], lab[..., 1:] = levels[:, None], centres
    rgb = np.clip(lab_to_rgb(lab), 0, 1)
    missed = np.linalg.norm(rgb_to_lab(rgb)[..., 1:] - centres, axis=-1)
    # Of several lightnesses at which sRGB can show it, the one nearest to the middle.
    best = (missed + 1e-3 * np.abs(levels - 65)[:, None]).argmin(axis=0)
    return np.asarray(rgb[best, np.arange(len(centres))])


def draw_prior(shares: NDArray[np.float64], file: BinaryIO) -> None:
    """Draw the prior as PNG.

    Args:
        shares: (313,) of the pixels, sum 1; the area of a dot goes by their logarithm.
        file: to write to.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 7), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_facecolor("#e8e8e8")
    a, b = in_gamut_centres().T
    seen = shares > 0
    size = np.log(np.maximum(shares, _RAREST) / _RAREST)
    areas = np.maximum(_LARGEST_PT2 * size / size.max(), 3)
    axes.scatter(a[seen], b[seen], areas[seen], colours_of_bins()[seen], linewidths=0)
    axes.scatter(a[~seen], b[~seen], 6, "none", edgecolors="#999999", linewidths=0.5)
    axes.set(xlabel="a*", ylabel="b*", xlim=(-115, 115), ylim=(-115, 115), aspect="equal")
    axes.set_title("Area by the logarithm of a bin's share; rings: bins that do not occur")
    figure.savefig(file, dpi=110, format="png")
