"""How sure a figure is: bootstrap intervals of means over pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.evaluation.results import Figure

RESAMPLES = 2000


def resamples(count: int, seed: int = 0, rounds: int = RESAMPLES) -> NDArray[np.float64]:
    """How often each of so many pictures is drawn in each bootstrap resample.

    Args:
        count: pictures, 1 or more.
        seed: the same seed draws the same.
        rounds: how many resamples.

    Returns:
        (rounds, count) float64, each row summing to ``count``.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), rounds).astype(np.float64)


def interval(estimate: float, drawn: NDArray[np.floating]) -> Figure:
    """The 95 % percentile interval (Efron 1979) around an estimate.

    Args:
        estimate: from all pictures.
        drawn: the same estimate from each resample; those that are not numbers are left out.
    """
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Figure(float(estimate), float(low), float(high))


def mean_figure(values: NDArray[np.floating], weights: NDArray[np.float64]) -> Figure:
    """The mean over pictures with its interval.

    Args:
        values: (n,).
        weights: (rounds, n) as :func:`resamples` gives them.
    """
    return interval(float(values.mean()), weights @ values / len(values))


def class_mean_figure(
    sums: NDArray[np.floating], counts: NDArray[np.floating], weights: NDArray[np.float64]
) -> Figure:
    """The mean over classes of their means over pixels, with its interval.

    A resample lacks some rare classes, those of the pictures it does not hold, which shifts its
    mean: that shift, from all pictures' mean to the resamples' median, is taken off the interval.

    Args:
        sums: (n, classes) summed over a picture's pixels of each class.
        counts: (n, classes) how many pixels that were; classes without any are left out.
        weights: (rounds, n).
    """
    with np.errstate(invalid="ignore"):
        drawn = np.nanmean((weights @ sums) / (weights @ counts), axis=1)
        estimate = float(np.nanmean(sums.sum(0) / counts.sum(0)))
    return interval(estimate, drawn - (np.median(drawn) - estimate))
