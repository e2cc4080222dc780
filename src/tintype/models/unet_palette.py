"""Classes that are RGB colours: a U-Net names one of 16, 24 or 32 for each pixel.

The U-Net of Ronneberger 2015 (arXiv 1505.04597, figure 1) with batch normalisation and LeakyReLU.
The colours are found by k-means among the training pictures' pixels; the mean of the three most
probable becomes the picture's. After a public study without a paper, which saw rings of colour
where its classes changed from one to the next.

Our differences:

- The mean is weighted by probability, and a colour's weight fades to nothing before it leaves the
  top three, so that no ring shows where one colour overtakes another (see ``heads.Palette``). ab is
  steep only where four colours are as good as equally likely.
- Of the mean colour only ab is used; the picture's own L stays.
- Convolutions are padded, so that the size stays. Up-sampling is a convolution and a bilinear
  interpolation instead of a transposed 2×2 convolution. The slope of LeakyReLU is 0.2 (the study's
  is not known). L goes in as (L - 50) / 100.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from tintype.models.eccv16 import L_CENTRE, L_SCALE
from tintype.models.heads import Palette
from tintype.models.network import Classes, Network, Prediction

SLOPE = 0.2
"""Of LeakyReLU below zero."""


@dataclass(frozen=True)
class UNetPaletteConfig:
    """Options of the network.

    Attributes:
        width: channels at full size; they double with each of four poolings. 64 is the U-Net's.
        colours: of the palette: 16, 24 or 32 in the study.
        top: how many of the most probable colours are averaged; 1 = only the most probable.
    """

    width: int = 64
    colours: int = 16
    top: int = 3


class UNetPalette(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 16."""

    ab_stride = 1
    size_multiple = 16

    def __init__(self, config: UNetPaletteConfig) -> None:
        super().__init__()
        self.config: UNetPaletteConfig = config
        widths = [config.width * 2**level for level in range(5)]
        self.down = nn.ModuleList(_pair(i, o) for i, o in pairwise([1, *widths]))
        steps = list(pairwise(reversed(widths)))
        self.before = nn.ModuleList(_conv(inputs, outputs) for inputs, outputs in steps)
        self.after = nn.ModuleList(_pair(2 * outputs, outputs) for _, outputs in steps)
        self.classes = nn.Conv2d(config.width, config.colours, 1)
        self.colours = Palette(config.colours, config.top)

    def forward(self, L: Tensor) -> Prediction:
        """Logits (N,colours,H,W) for L (N,1,H,W) in [0,100]."""
        return Prediction(logits=self._logits(L))

    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H,W) of L (N,1,H,W) in [0,100]."""
        return self.colours.mean(self._logits(L))

    def _logits(self, L: Tensor) -> Tensor:
        x = (L - L_CENTRE) / L_SCALE
        skips: list[Tensor] = []
        for pair in self.down:
            x = pair(functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for before, after, skip in zip(self.before, self.after, skips[-2::-1], strict=True):
            x = functional.interpolate(before(x), scale_factor=2, mode="bilinear")
            x = after(torch.cat([skip, x], 1))
        return self.classes(x)

    def classes_of(self) -> Classes:
        """The palette."""
        return Classes(self.colours.centres, self.colours.rgb)


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs), _conv(outputs, outputs))
