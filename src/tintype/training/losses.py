"""What training minimises: rebalanced soft cross-entropy over ab bins, smooth L1 on ab."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tintype.bins import (
    in_gamut_centres,
    nearest_bin,
    rebalancing_weights,
    smooth_prior,
    soft_encode,
)

_REACH = 128


class SoftCrossEntropy(nn.Module):
    """Rebalanced soft cross-entropy: Zhang 2016 (arXiv 1603.08511), eq. 2 to 4.

    The soft encoding is read from a table at whole ab units, which is a hundred times faster than
    finding the nearest bins for each pixel; ab is uint8-derived anyway.

    Args:
        prior: (313,) frequency of each bin, sums to 1, already smoothed.
        rebalancing: the paper's lambda; 1 gives all classes the same weight.
    """

    def __init__(self, prior: NDArray[np.float64], rebalancing: float) -> None:
        super().__init__()
        line = np.arange(-_REACH, _REACH, dtype=np.float64)
        lattice = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        index, weight = soft_encode(lattice, in_gamut_centres())
        weights = rebalancing_weights(prior, rebalancing)
        self.log_weights = torch.from_numpy(np.log(weights))
        class_weight = weights[index[:, 0]]
        self.index: Tensor
        self.weight: Tensor
        self.register_buffer("index", torch.from_numpy(index))
        # v(Z) = w of the nearest bin (eq. 3) goes straight into the soft labels.
        self.register_buffer("weight", torch.from_numpy(weight * class_weight[:, None]))

    def forward(self, logits: Tensor, ab: Tensor) -> Tensor:
        """Mean loss of logits (n, 313) against true colours ab (n, 2) in ab units."""
        cell = ab.round().long().clamp(-_REACH, _REACH - 1) + _REACH
        row = cell[:, 0] * 2 * _REACH + cell[:, 1]
        log_probs = functional.log_softmax(logits.float(), dim=1)
        return -(log_probs.gather(1, self.index[row]) * self.weight[row]).sum(1).mean()


def smooth_l1(ab: Tensor, true_ab: Tensor, beta: float) -> Tensor:
    """Huber-like loss on ab: square below ``beta`` ab units, absolute above (Girshick 2015, eq. 3).

    Args:
        ab: (N, 2, h, w) prediction.
        true_ab: (N, 2, h, w).
        beta: the turning point in ab units.

    Returns:
        The mean, in ab units for large errors.
    """
    return functional.smooth_l1_loss(ab.float(), true_ab, beta=beta)


def prior_of(ab: NDArray[np.floating]) -> NDArray[np.float64]:
    """The smoothed prior over the 313 bins of true colours ab (n, 2)."""
    centres = in_gamut_centres()
    counts = np.bincount(nearest_bin(ab, centres), minlength=len(centres))
    return smooth_prior(counts.astype(np.float64), centres)
