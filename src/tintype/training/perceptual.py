"""How alike two pictures are to a trained encoder: the distance of its features."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tintype.models.blocks import GREY_CENTRE, ResNet18Trunk


class Perceptual(nn.Module):
    """The distance of ResNet-18's features at strides 2 to 16.

    After Johnson 2016 (arXiv 1603.08155, eq. 2) and, for features of unit length at each place,
    Zhang 2018 (arXiv 1801.03924, eq. 1) without its learned weights.

    Args:
        encoder: arrays as ``ResNet18Trunk.load_encoder`` takes; None = random ones.
    """

    def __init__(self, encoder: Path | None) -> None:
        super().__init__()
        self.trunk = ResNet18Trunk(inputs=3)
        if encoder is not None:
            self.trunk.load_encoder(encoder)
        self.requires_grad_(requires_grad=False)

    def forward(self, rgb: Tensor, true: Tensor) -> Tensor:
        """The mean over pictures and places, summed over the four sizes.

        Args:
            rgb: (N,3,h,w) predicted, sRGB in [0,1].
            true: (N,3,h,w).
        """
        with torch.no_grad():
            wanted = self.trunk(true - GREY_CENTRE)
        pairs = zip(self.trunk(rgb - GREY_CENTRE), wanted, strict=True)
        return torch.stack([(_unit(a) - _unit(b)).square().sum(1).mean() for a, b in pairs]).sum()


def _unit(features: Tensor) -> Tensor:
    features = features.float()
    return features / (features.square().sum(1, keepdim=True) + 1e-8).sqrt()
