"""How a picture takes the colours of another: example-based colorization.

The network's own guess tells what a place is: places of both pictures that it would colour alike,
that are as light and as rough, show the same thing. Each cell of the picture takes the reference's
true colours from the cells most like it (after Welsh 2002, "Transferring Color to Greyscale
Images", who matched lightness and its spread; the guess is ours). Where nothing is like it, the
guess stays, drawn a little towards the reference's palette. Pure arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.motion import STRIDE, smooth
from tintype.temporal import as_bright, cells_of

Float = NDArray[np.float32]

_SCALES = np.array([9, 6, 9, 9, 9], np.float32)
"""Differences that count alike: L, its spread in a cell, its step to the surroundings, a, b."""

_PLACE = 2.0  # how much it counts to be at the same place: widths of the picture per unit
_NEAR, _FAR = 0.35, 2.0  # spreads of the weights: of those most alike, and of the palette
_ALIKE = 1.2  # distance at which a cell is half sure to have found its like
_PALETTE = 0.35  # how far a guess that found nothing is drawn to the palette
_MOST = 4096  # cells of the reference that are compared


@dataclass(frozen=True)
class Reference:
    """A colour picture that lends its colours.

    Attributes:
        L: (h, w) its lightness as the network sees it.
        guess: (2, gh, gw) ab that the network predicts from it.
        ab: (2, gh, gw) its true colours.
    """

    L: Float
    guess: Float
    ab: Float

    def steer(self, L: Float, guess: Float) -> Float:
        """The colours of a picture after the reference.

        Args:
            L: (h, w) lightness in [0, 100].
            guess: (2, gh, gw) its predicted ab on the grid of ``temporal.STRIDE``.

        Returns:
            (2, gh, gw) ab.
        """
        theirs = _features(self.L, self.guess)
        lent = self.ab.reshape(2, -1)
        if len(theirs) > _MOST:
            chosen = np.linspace(0, len(theirs) - 1, _MOST).astype(np.intp)
            theirs, lent = theirs[chosen], lent[:, chosen]
        ours = _features(as_bright(L, self.L), guess)
        near, far, nearest = _matched(ours, theirs, lent)
        shape = guess.shape
        sure = smooth(np.exp(-np.log(2) * nearest / _ALIKE**2).reshape(shape[1:]))
        near, far = smooth(near.reshape(shape)), smooth(far.reshape(shape))
        return np.asarray(sure * near + (1 - sure) * (guess + _PALETTE * (far - guess)), np.float32)


def _features(L: Float, guess: Float) -> Float:
    """What a cell is compared by: (gh * gw, 7)."""
    mean = cells_of(L)
    gh, gw = mean.shape
    spread = np.sqrt(np.maximum(cells_of(L * L) - mean * mean, 0))
    around = smooth(smooth(smooth(mean)))
    planes = np.stack([mean, spread, mean - around, *guess], -1) / _SCALES
    rows, columns = np.mgrid[:gh, :gw].astype(np.float32) * np.float32(_PLACE / max(gh, gw))
    features = np.concatenate([planes, rows[..., None], columns[..., None]], -1)
    return features.reshape(gh * gw, -1).astype(np.float32)


def _matched(ours: Float, theirs: Float, lent: Float) -> tuple[Float, Float, Float]:
    """Colours (2, n) of the most like and of the palette, and the least squared distance (n,)."""
    near, far = np.empty((2, 2, len(ours)), np.float32)
    nearest = np.empty(len(ours), np.float32)
    own = (theirs**2).sum(1)
    for start in range(0, len(ours), 1024):
        part = ours[start : start + 1024]
        distance = (part**2).sum(1)[:, None] + own - 2 * part @ theirs.T
        least = distance.min(1)
        nearest[start : start + len(part)] = np.maximum(least, 0)
        distance -= least[:, None]
        for out, spread in ((near, _NEAR), (far, _FAR)):
            weights = np.exp(distance * np.float32(-0.5 / spread**2))
            out[:, start : start + len(part)] = lent @ (weights / weights.sum(1)[:, None]).T
    return near, far, nearest


def on_cells(planes: Float) -> Float:
    """Planes (n, h, w) averaged over the cells of ``temporal.STRIDE``: (n, gh, gw)."""
    return _averaged(planes, STRIDE)


def on_grid(planes: Float, stride: int, size: tuple[int, int]) -> Float:
    """Planes (n, h, w) of a network's own stride on the grid of ``temporal.STRIDE``: (n, *size)."""
    if stride < STRIDE:
        planes = _averaged(planes, STRIDE // stride)
    elif stride > STRIDE:
        planes = planes.repeat(stride // STRIDE, 1).repeat(stride // STRIDE, 2)
    return planes[:, : size[0], : size[1]]


def _averaged(planes: Float, step: int) -> Float:
    """Means over squares of ``step``, the edge repeated where the last ones are not full."""
    height, width = planes.shape[1:]
    whole = np.pad(planes, ((0, 0), (0, -height % step), (0, -width % step)), mode="edge")
    n, rows, columns = whole.shape
    cells = whole.reshape(n, rows // step, step, columns // step, step)
    return np.asarray(cells.mean((2, 4)), np.float32)
