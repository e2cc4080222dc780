"""Regression by transfer: a ResNet-18 that knows ImageNet's objects, and four convolutions.

The encoder is ResNet-18 (He 2016, arXiv 1512.03385, table 1) up to stride 16, 14×14 at 224². Four
3×3 convolutions follow, each with an up-sampling by two, batch normalisation and a ReLU after it,
so that ab has the size of L. After a public study without a paper, which trains on the mean square
error of ab over crops of 224² and their mirror images. The encoder is ``trunk``: a recipe freezes
it (``freeze: [trunk]``) or lets it move slowly (``trunk_rate``).

Our differences:

- The study keeps the first ten convolutions, which ends inside layer 3 (conv1, four each of layers
  1 and 2, one of layer 3: recalled). Here the cut is after layer 3, at the same stride, three
  convolutions later, not counting those on the short ways. The encoder's batch normalisation is
  folded.
- How many channels the study's four convolutions have is not known. Here it is a half, a quarter,
  an eighth and a sixteenth of the encoder's, and a 1×1 convolution reads tanh × 110 off them,
  since a ReLU at the end would leave no ab below zero.
- L goes in as the sRGB grey that ImageNet training would have seen. Up-sampling is bilinear.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from tintype.color import lightness_to_luminance, linear_to_srgb
from tintype.models.blocks import GREY_CENTRE, ResNet18Trunk
from tintype.models.eccv16 import AB_SCALE
from tintype.models.network import Network, Prediction


@dataclass(frozen=True)
class ResNet18Config:
    """Options of the network.

    Attributes:
        width: channels of the first convolution; all others follow. 64 is ResNet-18's, and the
            only width that an ImageNet encoder fits.
    """

    width: int = 64


class ResNet18(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 16."""

    ab_stride = 1
    size_multiple = 16

    def __init__(self, config: ResNet18Config) -> None:
        super().__init__()
        self.config: ResNet18Config = config
        self.trunk = ResNet18Trunk(width=config.width)
        widths = [4 * config.width // 2**halved for halved in range(5)]
        self.decoder = nn.Sequential(
            *(_up(inputs, outputs) for inputs, outputs in pairwise(widths)),
            nn.Conv2d(widths[-1], 2, 1),
        )

    def forward(self, L: Tensor) -> Prediction:
        """Colour (N,2,H,W) in ab units for L (N,1,H,W) in [0,100]."""
        grey = linear_to_srgb(lightness_to_luminance(L))
        at16 = self.trunk(grey - GREY_CENTRE)[-1]
        return Prediction(torch.tanh(self.decoder(at16)) * AB_SCALE)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """(N, inputs, H, W) to (N, outputs, 2H, 2W)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
