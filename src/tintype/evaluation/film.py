"""How steady the colours of a film are: metrics over successive frames, each with its formula.

Frames are uint8 sRGB (H, W, 3) of one size, at the frame rate that is shown. They are taken one
by one, so an array (T, H, W, 3) does as well as a generator, and memory does not grow with the
film. Cuts are not looked for: measure shot by shot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise, zip_longest
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.errors import UsageError
from tintype.evaluation.metrics import Picture8

CDC_STEPS = (1, 2, 4)
"""How many frames apart are compared (Liu et al. 2021)."""

One = TypeVar("One")
Other = TypeVar("Other")


def static_ab_change(
    frames: Iterable[Picture8],
    L_threshold: float = 1.0,
    L: Iterable[NDArray[np.floating]] | None = None,
) -> float:
    """Mean change of colour from frame to frame where nothing moves, in ab units.

    The mean of sqrt(Δa*² + Δb*²) over all pixels of all pairs of successive frames in which L*
    changes by less than the threshold; every such pixel weighs the same. Lightness stands in for
    motion, since a coloured film keeps the lightness of its source: flat things that move count as
    static, and grain above the threshold counts as motion.

    Args:
        frames: T frames, uint8 sRGB (H, W, 3).
        L_threshold: in units of L*, above 0.
        L: T lightnesses (H, W) of the source in [0, 100]; None takes the frames' own.

    Raises:
        UsageError: when a frame is not uint8 (H, W, 3) or not of the first one's size, there are
            fewer than two, or no pixel is static.
    """
    labs = _labs(frames)
    if L is None:
        return _mean_changes(((lab[..., 0], lab[..., 1:]) for lab in labs), L_threshold)[0]
    given = ((light, lab[..., 1:]) for light, lab in _together(L, labs))
    return _mean_changes(given, L_threshold)[0]


def flicker(
    frames: Iterable[Picture8], truth: Iterable[Picture8], L_threshold: float = 1.0
) -> float:
    """The change of colour where nothing moves, as a multiple of the truth's own.

    :func:`static_ab_change` of the result divided by that of the truth, both over the pixels that
    are static in the truth. 1 is as steady as the truth; less is steadier than its grain; a grey
    film scores 0.

    Args:
        frames: T frames of the result, uint8 sRGB (H, W, 3).
        truth: T true frames of the same size.
        L_threshold: as in :func:`static_ab_change`.

    Raises:
        UsageError: as :func:`static_ab_change`; also when the films differ in length or size, or
            the truth's colours do not change at all.
    """
    both = _together(_labs(frames), _labs(truth))
    given = ((true[..., 0], lab[..., 1:], true[..., 1:]) for lab, true in both)
    change, true_change = _mean_changes(given, L_threshold)
    if true_change == 0:
        raise UsageError("The colours of the true film do not change, so nothing compares to it.")
    return change / true_change


def cdc(frames: Iterable[Picture8]) -> float:
    """Colour distribution consistency of Liu et al. 2021 (arXiv 2110.04562); 0 is constant.

    The mean Jensen-Shannon divergence, in nats as in the authors' code, of the 256-bin histograms
    of frames i and i + t, over the channels R, G, B and all i; then the mean over t = 1, 2, 4. In
    a film of fewer than five frames, the mean over those t that occur. It cannot tell flicker from
    motion, and a grey film of a still scene has 0: compare with the truth's own.

    Args:
        frames: T frames, uint8 sRGB (H, W, 3).

    Returns:
        0 to ln 2, lower is more constant.

    Raises:
        UsageError: when a frame is not uint8 (H, W, 3) or not of the first one's size, or there
            are fewer than two.
    """
    latest: deque[NDArray[np.float64]] = deque(maxlen=max(CDC_STEPS) + 1)
    found: dict[int, list[float]] = {}
    for frame in _checked(frames):
        latest.appendleft(_histograms(frame))
        for step in CDC_STEPS:
            if step < len(latest):
                found.setdefault(step, []).append(_divergence(latest[0], latest[step]))
    if not found:
        raise UsageError("A film of two frames or more is needed to see how its colours change.")
    return float(np.mean([np.mean(each) for each in found.values()]))


def _histograms(frame: Picture8) -> NDArray[np.float64]:
    """(3, 256) float64, the part of the pixels that has each level; each row sums to 1."""
    levels = frame.reshape(-1, 3).T
    counts = [np.bincount(channel, minlength=256) for channel in levels]
    return np.asarray(np.stack(counts) / levels.shape[1])


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence of rows, H((p + q) / 2) - (H(p) + H(q)) / 2 (Lin 1991), mean."""
    rows = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return float(np.maximum(rows, 0).mean())


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shannon entropy of rows in nats; 0 log 0 is 0."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1))


def _mean_changes(
    given: Iterable[tuple[NDArray[np.floating], ...]], threshold: float
) -> tuple[float, ...]:
    """Mean |Δab| over static pixels, for each film.

    Args:
        given: of each frame its L (H, W) that tells what is static, then ab (H, W, 2) of one film
            or several.
        threshold: in units of L*.
    """
    if not threshold > 0:
        raise UsageError(f"The threshold of L* must be above 0, not {threshold}.")
    totals: list[NDArray[np.float64]] = []
    pixels = 0
    for (before, *colours), (after, *next_colours) in pairwise(given):
        for each in (after, *(ab[..., 0] for ab in (*colours, *next_colours))):
            if each.shape != before.shape:
                raise UsageError(f"Films of one size are needed, not {before.shape}, {each.shape}.")
        static = np.abs(after - before) < threshold
        changes = [y[static] - x[static] for x, y in zip(colours, next_colours, strict=True)]
        totals.append(np.array([np.hypot(*each.T).sum() for each in changes]))
        pixels += int(static.sum())
    if not totals:
        raise UsageError("A film of two frames or more is needed to see how its colours change.")
    if not pixels:
        raise UsageError(f"No pixel keeps its lightness within {threshold} from frame to frame.")
    return tuple((np.sum(totals, axis=0) / pixels).tolist())


def _labs(frames: Iterable[Picture8]) -> Iterator[NDArray[np.float64]]:
    return (np.asarray(rgb_to_lab(frame / 255.0)) for frame in _checked(frames))


def _checked(frames: Iterable[Picture8]) -> Iterator[Picture8]:
    first: tuple[int, ...] | None = None
    for frame in frames:
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise UsageError(f"A frame must be uint8 (H, W, 3), not {frame.dtype} {frame.shape}.")
        first = first or frame.shape
        if frame.shape != first:
            raise UsageError(f"The first frame is {first} but another is {frame.shape}.")
        yield frame


def _together(one: Iterable[One], other: Iterable[Other]) -> Iterator[tuple[One, Other]]:
    """Pairs of two films of one length; zip's own complaint is no sentence for a user."""
    for a, b in zip_longest(one, other):
        if a is None or b is None:
            raise UsageError("The two films differ in the number of their frames.")
        yield a, b
