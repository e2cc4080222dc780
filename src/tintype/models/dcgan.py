"""The generator of the conditional DCGAN: a U-Net in CIE Lab.

Nazeri, Ng, Ebrahimi, "Image Colorization using Generative Adversarial Networks", 2018 (arXiv
1803.05400), the network for 256² (Places365): one 4×4 convolution at full size, seven of stride 2
(64, 64, 128, 256, 512, 512, 512, 512 channels), seven transposed ones back, each beside the
mirrored layer, a 1×1 convolution with tanh to Lab; batch normalisation and leaky ReLU (0.2) on the
way down, ReLU on the way up, half of the values dropped in the decoder's first three layers. The
grey is the prior, the noise zero. ``training.tasks.adversarial`` trains it: cross-entropy with
the generator's part as -log D, 100 times L1, 0.9 for true pictures (one-sided label smoothing),
against a discriminator that gives one verdict on the whole picture (``discriminator: picture``).

L goes in as L / 50 - 1, Lab comes out as tanh; only its ab is used, since the engine keeps the
picture's own lightness.

Our differences:

- ``whole_lab: false`` predicts ab alone.
- Any multiple of 32 will do as a size, as in ``pix2pix``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from tintype.models.network import Network, Prediction
from tintype.models.pix2pix import DROPPED, doubling, halving, start_normal, through

AB_SCALE = 110.0
"""The unit of ab in the last layer."""

L_CENTRE = 50.0
"""The lightness that is zero inside, and the unit of lightness."""


@dataclass(frozen=True)
class DCGANConfig:
    """Options of the network.

    Attributes:
        width: channels of the first layer; the others have 1, 2, 4 and 8 times as many. 64 is the
            paper's.
        downs: how often the size is halved. 7 is the paper's, for 256².
        whole_lab: predict L beside ab, as the paper does.
    """

    width: int = 64
    downs: int = 7
    whole_lab: bool = True


class DCGAN(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 32."""

    ab_stride = 1
    size_multiple = 32
    colour_span = AB_SCALE

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        self.config: DCGANConfig = config
        widths = [config.width * min(8, 2**level) for level in range(config.downs)]
        widths.insert(0, config.width)
        self.encoder = nn.ModuleList(
            halving(inputs, outputs, nn.BatchNorm2d(outputs), stride=2 if level else 1)
            for level, (inputs, outputs) in enumerate(pairwise([1, *widths]))
        )
        self.decoder = nn.ModuleList()
        inputs = widths[-1]
        for index, outputs in enumerate(reversed(widths[:-1])):
            self.decoder.append(doubling(inputs, outputs, drop=index < DROPPED))
            inputs = 2 * outputs
        self.last = nn.Conv2d(inputs, 3 if config.whole_lab else 2, 1)
        start_normal(self)

    def forward(self, L: Tensor) -> Prediction:
        """ab (N,2,H,W), or (N,3,H,W) with (L - 50) · 2.2 before it, for L (N,1,H,W)."""
        painted = self.last(through(self.encoder, self.decoder, L / L_CENTRE - 1))
        return Prediction(AB_SCALE * torch.tanh(painted.float()))

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab, without the lightness that may stand before it."""
        return colour[:, -2:]

    def target(self, lab: Tensor) -> Tensor:
        """The true ab, with lightness from -110 to 110 before it if that is predicted."""
        lightness = AB_SCALE * (lab[:, :1] / L_CENTRE - 1)
        return torch.cat([lightness, lab[:, 1:]], 1) if self.config.whole_lab else lab[:, 1:]
