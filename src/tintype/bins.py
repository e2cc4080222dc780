"""How colours become classes and back: ab bins, soft encoding, annealed mean, RGB palettes.

After Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016 (arXiv 1603.08511); equation
numbers below are that paper's. Arrays may be NumPy or torch where a function says so.
"""

from __future__ import annotations

import functools
import sys
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tintype.color import Array, luma, rgb_to_lab
from tintype.errors import UsageError

GRID_STEP = 10
"""Distance of neighbouring ab bins (section 2.1)."""

TEMPERATURE = 0.38
"""The annealed mean's temperature that the paper chose (section 2.3)."""

SIGMA = 5.0
"""Width of the Gaussian of the soft encoding and of the prior's smoothing, in ab units."""

NEIGHBOURS = 5
"""Bins of a soft encoding: 5 as in the paper (the code released with it takes 10)."""


def ab_grid(step: int = GRID_STEP) -> NDArray[np.int64]:
    """All grid points of the ab plane that could hold an sRGB colour.

    Args:
        step: distance of neighbouring points, in ab units.

    Returns:
        (n, 2) int64, a first, both ascending, from -120 to 120 at most.
    """
    reach = 120 // step * step
    line = np.arange(-reach, reach + 1, step)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)


def _gamut_surface(samples: int = 64) -> NDArray[np.float64]:
    """The ab of colours on the six faces of the sRGB cube, (n, 2)."""
    line = np.linspace(0, 1, samples)
    u, v = (m.ravel() for m in np.meshgrid(line, line))
    faces = [np.insert(np.stack([u, v], 1), at, end, axis=1) for at in range(3) for end in (0, 1)]
    return np.asarray(rgb_to_lab(np.concatenate(faces))[:, 1:], np.float64)


def _convex_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of the convex hull of (n, 2) points, anticlockwise (Andrew's monotone chain)."""

    def half(ordered: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        chain: list[NDArray[np.float64]] = []
        for point in ordered:
            while len(chain) > 1:
                (ax, ay), (bx, by) = chain[-1] - chain[-2], point - chain[-2]
                if ax * by - ay * bx > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    ordered = points[np.lexsort(points.T[::-1])]
    return np.array(half(ordered) + half(ordered[::-1]))


@functools.cache
def _in_gamut_centres(step: int) -> NDArray[np.float32]:
    hull = _convex_hull(_gamut_surface())
    grid = ab_grid(step).astype(np.float64)
    edge = np.roll(hull, -1, axis=0) - hull
    outward = np.stack([edge[:, 1], -edge[:, 0]], axis=1)
    # A square of half side `step` reaches an edge's line from so many times its own support.
    distance = ((grid[:, None, :] - hull) * outward).sum(axis=-1)
    beyond = (distance / np.abs(outward).sum(axis=1)).max(axis=1)
    box = (grid >= hull.min(axis=0) - step) & (grid <= hull.max(axis=0) + step)
    centres: NDArray[np.float32] = grid[(beyond <= step) & box.all(axis=1)].astype(np.float32)
    centres.setflags(write=False)
    return centres


def in_gamut_centres(step: int = GRID_STEP) -> NDArray[np.float32]:
    """The ab bins that sRGB colours use: Q = 313 of them at step 10 (section 2.1).

    A grid point belongs to the set when it is a corner of a grid cell that the convex hull of the
    sRGB gamut's ab touches, so that every colour has its four surrounding points in the set. The
    paper gives no rule; this one reproduces the published list exactly, order included.

    Args:
        step: distance of neighbouring bins, in ab units.

    Returns:
        (Q, 2) float32 read-only, a first, both ascending.

    Raises:
        UsageError: when step is not in 1..60.
    """
    if not 1 <= step <= 60:
        raise UsageError(f"The distance of ab bins must be in 1..60, not {step}.")
    return _in_gamut_centres(step)


def nearest_bin(ab: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.int64]:
    """Index of the nearest bin of each colour.

    Args:
        ab: (..., 2) colours.
        centres: (Q, 2) bins.

    Returns:
        (...) int64 in [0, Q).
    """
    return soft_encode(ab, centres, neighbours=1)[0][..., 0]


@functools.cache
def _bin_of_grid_point() -> NDArray[np.int64]:
    """Bin index of each point of the grid, (25, 25), where the grid's first is (-120, -120)."""
    side = 2 * (120 // GRID_STEP) + 1
    table: NDArray[np.int64] = nearest_bin(
        ab_grid().astype(np.float64), in_gamut_centres()
    ).reshape(side, side)
    table.setflags(write=False)
    return table


def bin_of_colour(ab: NDArray[np.floating]) -> NDArray[np.int64]:
    """The nearest of the 313 bins of colours of sRGB, a hundred times faster than a search.

    The four grid points around such a colour are bins, so that the nearest is found by rounding.

    Args:
        ab: (..., 2) colours inside sRGB; what lies outside gets the bin of its nearest grid point.

    Returns:
        (...) int64 in [0, 313).
    """
    cell = np.clip(np.rint(ab / GRID_STEP).astype(np.int64), -12, 12) + 12
    return _bin_of_grid_point()[cell[..., 0], cell[..., 1]]


def soft_encode(
    ab: NDArray[np.floating],
    centres: NDArray[np.floating],
    neighbours: int = NEIGHBOURS,
    sigma: float = SIGMA,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The soft encoding H^-1 (section 2.2): each colour as weights over its nearest bins.

    Args:
        ab: (..., 2) colours in ab units.
        centres: (Q, 2) bins.
        neighbours: how many bins share a colour, K in 1..Q.
        sigma: width of the Gaussian of the distance, in ab units.

    Returns:
        Bin indices (..., K) int64, nearest first, and weights (..., K) float32 that sum to 1.

    Raises:
        UsageError: when neighbours or sigma is out of range.
    """
    if not 1 <= neighbours <= len(centres) or sigma <= 0:
        raise UsageError(f"Soft encoding over {neighbours} bins with sigma {sigma} is impossible.")
    flat = np.asarray(ab, np.float64).reshape(-1, 2)
    index = np.empty((len(flat), neighbours), np.int64)
    weight = np.empty((len(flat), neighbours), np.float32)
    for start in range(0, len(flat), 65536):
        part = slice(start, start + 65536)
        # Each axis by itself: NumPy is slow at summing over an axis of two.
        square = (flat[part, :1] - centres[:, 0]) ** 2 + (flat[part, 1:] - centres[:, 1]) ** 2
        nearest = np.argpartition(square, neighbours - 1, axis=1)[:, :neighbours]
        near = np.take_along_axis(square, nearest, axis=1)
        order = np.argsort(near, axis=1)
        near = np.take_along_axis(near, order, axis=1)
        index[part] = np.take_along_axis(nearest, order, axis=1)
        # The nearest distance is taken off before the exponential, so that far colours
        # (outside the gamut) do not underflow to zero weight everywhere.
        raw = np.exp(-(near - near[:, :1]) / (2 * sigma**2))
        weight[part] = raw / raw.sum(axis=1, keepdims=True)
    shape = (*np.shape(ab)[:-1], neighbours)
    return index.reshape(shape), weight.reshape(shape)


def annealed_mean(
    logits: Array, centres: Array, temperature: float = TEMPERATURE, axis: int = 1
) -> Array:
    """Colours of predicted distributions: the mean after re-sharpening them (eq. 5).

    f_T(z) = exp(log z / T) / sum exp(log z / T); with z = softmax(logits) this is the softmax of
    logits / T. T = 1 gives the mean, T -> 0 the mode.

    Args:
        logits: NumPy or torch, Q channels along ``axis``.
        centres: (Q, 2) bins, the same library.
        temperature: T > 0.
        axis: the channel axis.

    Returns:
        ab, two channels along ``axis``.

    Raises:
        UsageError: when the temperature is not positive.
    """
    if temperature <= 0:
        raise UsageError(f"The annealed mean needs a temperature above 0, not {temperature}.")
    if isinstance(logits, np.ndarray):
        scaled = logits / temperature
        probs = np.exp(scaled - scaled.max(axis=axis, keepdims=True))
        probs = probs / probs.sum(axis=axis, keepdims=True)
        return cast(Array, np.moveaxis(np.moveaxis(probs, axis, -1) @ centres, -1, axis))
    torch = sys.modules["torch"]
    probs = torch.softmax(logits / temperature, dim=axis)
    return cast(Array, (probs.movedim(axis, -1) @ centres).movedim(-1, axis))


def smooth_prior(
    counts: NDArray[np.floating], centres: NDArray[np.floating], sigma: float = SIGMA
) -> NDArray[np.float64]:
    """The prior p~ over bins: frequencies smoothed by a Gaussian on the ab plane (section 2.2).

    Args:
        counts: (Q,) pixels, or soft weights, counted per bin; any positive scale.
        centres: (Q, 2) bins.
        sigma: width of the Gaussian in ab units; 0 leaves the frequencies as they are.

    Returns:
        (Q,) float64 that sums to 1.

    Raises:
        UsageError: when the counts are negative, all zero or of the wrong length.
    """
    counts = np.asarray(counts, np.float64)
    if counts.shape != (len(centres),) or (counts < 0).any() or counts.sum() <= 0:
        raise UsageError("A prior needs one count per bin, none negative, not all zero.")
    if sigma > 0:
        square = ((centres[:, None] - centres[None]) ** 2).sum(-1)
        kernel = np.exp(-square / (2 * sigma**2))
        counts = (kernel / kernel.sum(axis=0)) @ counts
    return np.asarray(counts / counts.sum(), np.float64)


def rebalancing_weights(prior: NDArray[np.floating], mix: float = 0.5) -> NDArray[np.float32]:
    """Class weights against rare colours being drowned: w ~ ((1 - mix) p~ + mix / Q)^-1 (eq. 4).

    Args:
        prior: (Q,) smoothed prior, sums to 1.
        mix: the paper's lambda in [0, 1]: 1 gives equal weights, 0 full rebalancing.

    Returns:
        (Q,) float32, scaled so that the prior's expectation of w is 1.

    Raises:
        UsageError: when mix is outside [0, 1], or 0 with a bin that never occurs.
    """
    prior = np.asarray(prior, np.float64)
    if not 0 <= mix <= 1 or (mix == 0 and (prior <= 0).any()):
        raise UsageError(f"Rebalancing with lambda {mix} is impossible for this prior.")
    weight = 1 / ((1 - mix) * prior + mix / len(prior))
    return np.asarray(weight / (prior * weight).sum(), np.float32)


def rgb_palette(
    pixels: NDArray[np.floating], colours: int = 16, seed: int = 0, rounds: int = 50
) -> NDArray[np.float32]:
    """A palette of RGB colours by k-means (Lloyd 1982, started by k-means++).

    Args:
        pixels: (n, 3) sRGB colours in [0, 1]; a sample of 10,000 to 100,000 is enough.
        colours: how many, 1..n.
        seed: of the start; the same seed gives the same palette.
        rounds: at most so many iterations.

    Returns:
        (colours, 3) float32 in [0, 1], darkest first by BT.601 luma.

    Raises:
        UsageError: when there are fewer distinct pixels than colours.
    """
    points = np.asarray(pixels, np.float64)
    if not 1 <= colours <= len(np.unique(points, axis=0)):
        raise UsageError(f"A palette of {colours} colours needs at least as many distinct pixels.")
    rng = np.random.default_rng(seed)
    chosen = points[rng.integers(len(points))][None]
    for _ in range(colours - 1):
        square = _square_distances(points, chosen).min(axis=1)
        pick = rng.choice(len(points), p=square / square.sum())
        chosen = np.concatenate([chosen, points[pick][None]])
    for _ in range(rounds):
        owner = _square_distances(points, chosen).argmin(axis=1)
        sums = np.stack([np.bincount(owner, points[:, i], colours) for i in range(3)], axis=1)
        members = np.bincount(owner, minlength=colours)[:, None]
        moved = np.where(members > 0, sums / np.maximum(members, 1), chosen)
        if np.allclose(moved, chosen, atol=1e-6):
            break
        chosen = moved
    return np.asarray(chosen[np.argsort(luma(chosen))], np.float32)


def _square_distances(
    points: NDArray[np.floating], centres: NDArray[np.floating]
) -> NDArray[np.float64]:
    cross = points @ centres.T
    square = (points**2).sum(1)[:, None] - 2 * cross + (centres**2).sum(1)
    return np.asarray(np.maximum(square, 0), np.float64)
