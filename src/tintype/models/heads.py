"""How classes become colours: a palette of RGB colours and the mean of the most probable."""

from __future__ import annotations

import functools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tintype.bins import rgb_palette
from tintype.color import rgb_to_lab
from tintype.errors import UsageError


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

        The weights fade to nothing where a colour leaves the top, so that no edge shows there:
        each is the probability above that of the first colour left out.

        Args:
            logits: (N,Q,h,w).

        Returns:
            (N,2,h,w).
        """
        probs = logits.softmax(1)
        if self.top == len(self.rgb):
            weights = probs
        else:
            best = probs.topk(self.top + 1, 1).values
            weights = (probs - best[:, -1:]).clamp(min=0)
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-6)
        return (weights.movedim(1, -1) @ self.centres).movedim(-1, 1)


@functools.cache
def _any_palette(colours: int) -> NDArray[np.float32]:
    """A palette of the whole RGB cube, to start with; training finds that of its pictures."""
    pixels = np.random.default_rng(0).random((4096, 3))
    return rgb_palette(pixels, colours, rounds=10)
