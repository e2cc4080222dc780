"""The generator of MC-GAN: a residual network that is told which domain to colour for.

Ji, Wang, Zhou, Xia, Zhong, Gong, "SAR Image Colorization Using Multidomain Cycle-Consistency
Generative Adversarial Network", IEEE GRSL 2021 (DOI 10.1109/LGRS.2020.2969891): a mask vector names
the domain of a picture (there a kind of terrain), a discriminator that also names domains holds the
colours to it, and cycle consistency makes up for the lack of pairs. The layers are those of the
cycle's own paper (Zhu 2017, arXiv 1703.10593, section 7.2): c7s1-64, d128, d256, nine residual
blocks, u128, u64, c7s1, instance normalisation, ReLU, tanh, weights from N(0, 0.02).
``training.tasks.cycle`` trains it, with a second one that goes from colour to grey.

L goes in as L / 50 - 1, the mask vector as one constant plane for each domain, ab comes out as
tanh × 110.

Our differences:

- Colours are those of ordinary pictures, not of satellites, and the grey is their lightness, which
  the result keeps. A domain is the source that a picture's file name begins with.
- The exported graph takes L alone. It colours for the domain that the option ``domain`` names, or
  for the mean of all, which training practises too (``Cycle.without_domain``).
- Nothing normalises the first layer. A mask vector is constant planes, what a convolution makes of
  them is constant but for the border, and instance normalisation would take it away again: the
  network could not see its domain.
- Sizes go up by interpolation and convolution, which leaves no checkerboard, where the paper has
  transposed convolutions. Zeros pad, no reflection.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.errors import UsageError
from tintype.models.network import Network, Prediction
from tintype.models.pix2pix import start_normal

AB_SCALE = 110.0
"""The unit of ab in the last layer."""


@dataclass(frozen=True)
class MCGANConfig:
    """Options of the network.

    Attributes:
        width: channels of the first layer; the others have 2 and 4 times as many. 64 is the
            paper's.
        blocks: residual blocks; 9 are the paper's, for 256².
        domains: how many kinds of pictures it is trained on.
        domain: the number of the one that the exported graph colours for, in the order of the
            sources' names; None is the mean of all.
    """

    width: int = 64
    blocks: int = 9
    domains: int = 1
    domain: int | None = None


def _conv(
    inputs: int, outputs: int, stride: int = 1, kernel: int = 3, *more: nn.Module
) -> nn.Sequential:
    """Convolution, instance normalisation, and what comes after."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.InstanceNorm2d(outputs), *more)


class ResidualBlock(nn.Module):
    """x plus two 3×3 convolutions of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            _conv(width, width, 1, 3, nn.ReLU(inplace=True)), _conv(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N,width,H,W) to the same shape."""
        return x + self.inner(x)


class Translator(nn.Sequential):
    """From planes in [-1,1] to planes in [-1,1]: the network of either direction.

    Args:
        inputs: planes that go in.
        outputs: planes that come out, before the tanh.
        width: channels of the first layer.
        blocks: residual blocks.
    """

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__(
            nn.Sequential(nn.Conv2d(inputs, width, 7, 1, 3), nn.ReLU(inplace=True)),
            _conv(width, 2 * width, 2, 3, nn.ReLU(inplace=True)),
            _conv(2 * width, 4 * width, 2, 3, nn.ReLU(inplace=True)),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _conv(4 * width, 2 * width, 1, 3, nn.ReLU(inplace=True)),
            nn.Upsample(scale_factor=2, mode="nearest"),
            _conv(2 * width, width, 1, 3, nn.ReLU(inplace=True)),
            nn.Conv2d(width, outputs, 7, 1, 3),
        )
        start_normal(self)


class MCGAN(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 4."""

    ab_stride = 1
    size_multiple = 4
    colour_span = AB_SCALE

    def __init__(self, config: MCGANConfig) -> None:
        super().__init__()
        if config.domains < 1 or not 0 <= (config.domain or 0) < config.domains:
            raise UsageError(
                f"There is no domain {config.domain} among {config.domains}: they count from 0."
            )
        self.config: MCGANConfig = config
        self.colours = Translator(1 + config.domains, 2, config.width, config.blocks)

    def forward(self, L: Tensor) -> Prediction:
        """ab (N,2,H,W) of L (N,1,H,W), for the domain of the options."""
        return Prediction(self.colour_for(L, self.mask(L)))

    def mask(self, L: Tensor) -> Tensor:
        """The mask vector of the options, (1,domains): 1 for one domain, or equal parts of all."""
        parts = torch.full((self.config.domains,), 1 / self.config.domains)
        if self.config.domain is not None:
            parts = torch.eye(self.config.domains)[self.config.domain]
        return parts.to(L)[None]

    def colour_for(self, L: Tensor, mask: Tensor) -> Tensor:
        """Colours for domains.

        Args:
            L: (N,1,H,W) in [0,100].
            mask: (N,domains) or (1,domains), each row adds up to 1.

        Returns:
            ab (N,2,H,W).
        """
        count, _, height, width = L.shape
        planes = mask[:, :, None, None].expand(count, -1, height, width)
        painted = self.colours(torch.cat([L / 50 - 1, planes], 1))
        return AB_SCALE * torch.tanh(painted.float())
