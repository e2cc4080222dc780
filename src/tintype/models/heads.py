"""How classes become colours, and how sure they are: palettes, and the mass near a colour."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tintype.bins import rgb_palette
from tintype.color import rgb_to_lab
from tintype.errors import UsageError

REST = 0.05
"""What of its probability a colour outside the top weighs."""

REACH = 15.0
"""How far from a colour, in ab units, a class counts half for it. Of 8 to 25 units, hard or soft,
and of reaches that grow with chroma as CIEDE2000 does, this told right from wrong best, if by
little (two validation sets of photographs)."""

_SOFT = 60.0  # squared ab units; softens the edge by about 2 units, so that maps have no steps
_LEAST = 1e-4  # of the mass and of what is missing from all: its logit is finite


def mass_near(probs: Tensor, centres: Tensor, ab: Tensor) -> Tensor:
    """The probability that the colour lies near the one that was chosen.

    Each class weighs 1 / (1 + exp((d² - REACH²) / 60)), d its distance in ab.

    Args:
        probs: (N,Q,h,w) of the classes.
        centres: (Q,2) their ab.
        ab: (N,2,h,w) the colours chosen.

    Returns:
        (N,1,h,w) in [0,1].
    """
    flat = ab.flatten(2)
    # |c - ab|² from a matrix product: (N,Q,2,h,w) of differences would be twice as large.
    square = (centres**2).sum(1)[:, None] - 2 * (centres @ flat) + (flat**2).sum(1, keepdim=True)
    near = torch.sigmoid((REACH**2 - square) / _SOFT)
    return (probs.flatten(2) * near).sum(1, keepdim=True).view_as(ab[:, :1])


def calibrated(mass: Tensor, slope: float, offset: float) -> Tensor:
    """A probability made to mean what it says: the logistic of slope · logit + offset.

    Platt 1999, "Probabilistic outputs for support vector machines", section 2, of the logit
    rather than of a margin: slope 1 and offset 0 leave it as it is.
    """
    kept = mass.clamp(_LEAST, 1 - _LEAST)
    return torch.sigmoid(slope * torch.log(kept / (1 - kept)) + offset)


class Palette(nn.Module):
    """Classes that are RGB colours, found by k-means over the training pictures.

    Only the ab of a colour is used: the engine keeps the picture's own lightness.

    Args:
        colours: how many, Q.
        top: the mean is taken over so many of the most probable.
    """

    def __init__(self, colours: int, top: int) -> None:
        super().__init__()
        if not 1 <= top <= colours:
            raise UsageError(f"The mean of the top {top} of {colours} colours is impossible.")
        self.top = top
        self.rgb: Tensor
        self.register_buffer("rgb", torch.from_numpy(_any_palette(colours).copy()))

    @property
    def centres(self) -> Tensor:
        """(Q,2) the ab of the colours."""
        return rgb_to_lab(self.rgb)[:, 1:]

    def mean(self, logits: Tensor) -> Tensor:
        """The mean ab of the ``top`` most probable colours, weighted by their probability.

        A colour's weight is its probability above that of the first colour left out, so that it
        fades to nothing before it leaves the top and no edge shows there. ``REST`` of all
        probabilities is added, since otherwise hardly anything would weigh where many colours are
        equally probable. The mean of the top 1 is the most probable colour itself, edges and all.

        Args:
            logits: (N,Q,h,w).

        Returns:
            (N,2,h,w).
        """
        weights = probs = logits.softmax(1)
        if self.top == 1:
            weights = nn.functional.one_hot(probs.argmax(1), len(self.rgb)).to(probs).movedim(-1, 1)
        elif self.top < len(self.rgb):
            best = probs.topk(self.top + 1, 1).values
            weights = (probs - best[:, -1:]).clamp(min=0) + REST * probs
        weights = weights / weights.sum(1, keepdim=True)
        return (weights.movedim(1, -1) @ self.centres).movedim(-1, 1)


@functools.cache
def _any_palette(colours: int) -> NDArray[np.float32]:
    """A palette of the whole RGB cube, to start with; training finds that of its pictures."""
    pixels = np.random.default_rng(0).random((4096, 3))
    return rgb_palette(pixels, colours, rounds=10)
