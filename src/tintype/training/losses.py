"""What training minimises: distances of colours, cross-entropies of classes, rewards."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tintype.bins import nearest_bin, smooth_prior, soft_encode
from tintype.training.objectives import Verdict

_REACH = 128


def colour_distance(
    colour: Tensor,
    true: Tensor,
    kind: Literal["l1", "l2", "huber"],
    beta: float = 5.0,
    unit: float = 1.0,
) -> Tensor:
    """How far predicted colours are from the true ones, on average over channels and pixels.

    Args:
        colour: (N,C,h,w) prediction.
        true: (N,C,h,w).
        kind: "l1", the absolute; "l2", the square; "huber", the square below ``beta`` and the
            absolute above (Girshick 2015, arXiv 1504.08083, eq. 3).
        beta: in ab units.
        unit: ab units per unit of colour.

    Returns:
        The mean, in ab units (l2: squared).
    """
    colour, true = colour.float() * unit, true * unit
    if kind == "l1":
        return functional.l1_loss(colour, true)
    if kind == "l2":
        return functional.mse_loss(colour, true)
    return functional.smooth_l1_loss(colour, true, beta=beta)


class BinsCrossEntropy(nn.Module):
    """Rebalanced cross-entropy over ab bins: Zhang 2016 (arXiv 1603.08511), eq. 2 to 4.

    The encoding is read from a table at whole ab units, which is a hundred times faster than
    finding the nearest bins for each pixel; ab is uint8-derived anyway.

    Args:
        centres: (Q,2) the bins' ab.
        weights: (Q,) of each class, as ``rebalancing_weights`` gives them.
        neighbours: bins that share a colour; 1 is the hard encoding.
    """

    def __init__(
        self,
        centres: NDArray[np.floating],
        weights: NDArray[np.float32],
        neighbours: int,
    ) -> None:
        super().__init__()
        line = np.arange(-_REACH, _REACH, dtype=np.float64)
        lattice = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        index, weight = soft_encode(lattice, centres, neighbours)
        self.index: Tensor
        self.weight: Tensor
        self.entropy: Tensor
        self.register_buffer("index", torch.from_numpy(index), persistent=False)
        # v(Z) = w of the nearest bin (eq. 3) goes straight into the soft labels.
        balance = weights[index[:, 0]]
        self.register_buffer(
            "weight", torch.from_numpy(weight * balance[:, None]), persistent=False
        )
        own = -(weight * np.log(np.maximum(weight, 1e-30))).sum(1) * balance
        self.register_buffer("entropy", torch.from_numpy(own.astype(np.float32)), persistent=False)

    def forward(self, logits: Tensor, lab: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss of logits (n,Q) against true colours lab (n,3), and its least possible value.

        The least is the entropy of the soft labels, weighted as the loss is.
        """
        cell = lab[:, 1:].round().long().clamp(-_REACH, _REACH - 1) + _REACH
        row = cell[:, 0] * 2 * _REACH + cell[:, 1]
        log_probs = functional.log_softmax(logits.float(), dim=1)
        loss = -(log_probs.gather(1, self.index[row]) * self.weight[row]).sum(1).mean()
        return loss, self.entropy[row].mean()


class PaletteCrossEntropy(nn.Module):
    """Rebalanced cross-entropy over the RGB colours of a palette; the nearest in RGB is true.

    Args:
        rgb: (Q,3) the palette, sRGB in [0,1].
        weights: (Q,) of each colour, as in ``BinsCrossEntropy``.
    """

    def __init__(self, rgb: Tensor, weights: NDArray[np.float32]) -> None:
        super().__init__()
        self.rgb: Tensor
        self.balance: Tensor
        self.register_buffer("rgb", rgb.detach().clone(), persistent=False)
        self.register_buffer("balance", torch.from_numpy(weights), persistent=False)

    def forward(self, logits: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss of logits (n,Q) against true sRGB (n,3), and its least possible value, 0."""
        label = torch.cdist(rgb, self.rgb).argmin(1)
        each = functional.cross_entropy(logits.float(), label, reduction="none")
        return (each * self.balance[label]).mean(), each.new_zeros(())


def prior_of(ab: NDArray[np.floating], centres: NDArray[np.floating]) -> NDArray[np.float64]:
    """The smoothed prior over the bins ``centres`` (Q,2) of true colours ab (n,2)."""
    counts = np.bincount(nearest_bin(ab, centres), minlength=len(centres))
    return smooth_prior(counts.astype(np.float64), centres)


def palette_prior(
    pixels: NDArray[np.floating], palette: NDArray[np.floating]
) -> NDArray[np.float64]:
    """How often each colour of a palette (Q,3) is the nearest of pixels (n,3), both sRGB."""
    distance = torch.cdist(torch.from_numpy(pixels).float(), torch.from_numpy(palette).float())
    counts = np.bincount(np.asarray(distance.argmin(1)), minlength=len(palette)) + 1.0
    return counts / counts.sum()


def colourfulness(rgb: Tensor) -> Tensor:
    """The colourfulness of each picture, signed: Hasler and Süsstrunk 2003, eq. 1 to 3.

    Args:
        rgb: (N,3,h,w) sRGB in [0,1].

    Returns:
        (N,), about 0 to 110; a gradient exists for grey pictures, too.
    """
    red, green, blue = (255 * rgb).unbind(1)
    opponents = torch.stack([red - green, (red + green) / 2 - blue], 1).flatten(2)
    spread = opponents.var(2).sum(1)
    offset = opponents.mean(2).square().sum(1)
    return (spread + 1e-4).sqrt() + 0.3 * (offset + 1e-4).sqrt()


def verdict_loss(verdict: Tensor, wanted: float, kind: Verdict) -> Tensor:
    """What a discriminator loses by its verdicts.

    Args:
        verdict: any shape, before a sigmoid.
        wanted: what it should have said: 1 for true pictures, or a little less where their label is
            smoothed, 0 for others. The hinge asks only which of both is nearer.
        kind: "bce" (Goodfellow 2014, arXiv 1406.2661, eq. 1), "least_squares" (Mao 2017, arXiv
            1611.04076, eq. 2, with a = 0 and b = 1, not halved) or "hinge" (Lim and Ye 2017, arXiv
            1705.02894).

    Returns:
        The mean.
    """
    verdict = verdict.float()
    if kind == "hinge":
        return functional.relu(1 - verdict if wanted > 0.5 else 1 + verdict).mean()
    label = torch.full_like(verdict, wanted)
    if kind == "least_squares":
        return functional.mse_loss(verdict, label)
    return functional.binary_cross_entropy_with_logits(verdict, label)


def deceit_loss(verdict: Tensor, kind: Verdict) -> Tensor:
    """What a generator loses where a discriminator sees through it; arguments as above.

    With "bce" it is -log D(G), which still pulls where log(1 - D(G)) has become flat.
    """
    if kind == "hinge":
        return -verdict.float().mean()
    return verdict_loss(verdict, 1.0, kind)
