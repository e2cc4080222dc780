"""The least network: one convolution and one transposed convolution, which every other must beat.

The first convolution halves the size, the transposed one, of a kernel that divides by its stride,
brings it back. Each place sees 5 rows and columns of L: enough for "dark is brown, light is blue",
too little for any object.

There is no paper. A public study names the two layers and that they regress ab, no more.

Our differences, or rather choices: kernels 3×3 and 4×4, 64 channels and a ReLU between them; L goes
in as (L - 50) / 100, ab comes out as tanh × 110, so that no colour leaves the contract's range.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.models.eccv16 import AB_SCALE, L_CENTRE, L_SCALE
from tintype.models.network import Network, Prediction


@dataclass(frozen=True)
class BaselineConfig:
    """Options of the network.

    Attributes:
        width: channels between the two convolutions.
    """

    width: int = 64


class Baseline(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 2."""

    ab_stride = 1
    size_multiple = 2

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config: BaselineConfig = config
        self.down = nn.Conv2d(1, config.width, 3, 2, 1)
        self.up = nn.ConvTranspose2d(config.width, 2, 4, 2, 1)

    def forward(self, L: Tensor) -> Prediction:
        """Colour (N,2,H,W) in ab units for L (N,1,H,W) in [0,100]."""
        x = torch.relu(self.down((L - L_CENTRE) / L_SCALE))
        return Prediction(torch.tanh(self.up(x)) * AB_SCALE)
