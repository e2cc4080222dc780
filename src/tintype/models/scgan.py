"""The generator of SCGAN: colours and a map of what is salient, from one encoder.

Zhao, Po, Cheung, Yu, Rehman, "SCGAN: Saliency Map-guided Colorization with Generative Adversarial
Network", IEEE TCSVT 2021 (arXiv 2011.11377), as in the authors' code: a 7×7 convolution and eight
3×3 ones of stride 2 with batch normalisation (none in the first and last) and leaky ReLU (0.2),
64-128-256-512-512-512-512-512-512 channels; eight times back by nearest-neighbour up-sampling and
convolution, each beside the encoder's features of its size; tanh. Features of an encoder that knows
the whole picture join at a 32nd of the size. The decoder's layers at 1/8, 1/4 and 1/2 of the size
feed the branch that predicts the saliency map. ``training.tasks.saliency`` trains it.

L goes in as L / 50 - 1, ab comes out as tanh × 110.

Our differences:

- The global features come from ``ResNet18Trunk``, trained on ImageNet in colour and summed to grey,
  not from a VGG-16 trained on grey pictures. It sees the picture at half its size, so that its last
  features, at stride 16, lie where the paper's 512 do. It is the submodule ``trunk``.
- ab is predicted, not RGB. Zeros pad, no reflection. Any multiple of 32 will do as a size.
- The saliency branch is for training. ``predict_ab``, and so the exported graph, leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tintype.color import lightness_to_luminance, linear_to_srgb
from tintype.errors import UsageError
from tintype.models.blocks import GREY_CENTRE, ResNet18Trunk
from tintype.models.network import Network, Prediction
from tintype.models.pix2pix import LEAK

AB_SCALE = 110.0
"""The unit of ab in the last layer."""

JOIN = 5
"""After so many halvings the global features join."""


@dataclass(frozen=True)
class SCGANConfig:
    """Options of the network.

    Attributes:
        width: channels of the first layer; the others have 2, 4 and 8 times as many. 64 is the
            paper's.
        downs: how often the size is halved, at least 5. 8 is the paper's, for 256².
    """

    width: int = 64
    downs: int = 8


class _Features(NamedTuple):
    """What the decoder holds: at 1/8, 1/4 and 1/2 of the size, and all that the colours need."""

    at8: Tensor
    at4: Tensor
    at2: Tensor
    at1: Tensor


def _conv(
    inputs: int, outputs: int, stride: int = 1, kernel: int = 3, norm: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation unless there is none, leaky ReLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not norm)
    normed = [conv, nn.BatchNorm2d(outputs)] if norm else [conv]
    return nn.Sequential(*normed, nn.LeakyReLU(LEAK, inplace=True))


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    """(N,C,h,w) at the size of another, by nearest neighbour."""
    return functional.interpolate(x, size=like.shape[-2:], mode="nearest")


class SaliencyBranch(nn.Module):
    """Decoder features at 1/8, 1/4 and 1/2 of the size to the logits of the saliency map.

    Args:
        width: channels of the network's first layer.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = 2 * width
        self.from8 = nn.ModuleList([_conv(8 * width, inner), _conv(inner, inner)])
        self.from4 = _conv(4 * width, inner)
        self.from2 = _conv(2 * width, inner)
        self.join = _conv(3 * inner, inner)
        self.last = nn.Conv2d(inner, 1, 3, 1, 1)

    def forward(self, features: _Features) -> Tensor:
        """Logits (N,1,H,W)."""
        at8, at4, at2, at1 = features
        x = self.from8[1](_enlarged(self.from8[0](_enlarged(at8, at4)), at2))
        x = torch.cat([x, self.from4(_enlarged(at4, at2)), self.from2(at2)], 1)
        return self.last(self.join(_enlarged(x, at1)))


class SCGAN(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 32."""

    ab_stride = 1
    size_multiple = 32
    colour_span = AB_SCALE

    def __init__(self, config: SCGANConfig) -> None:
        super().__init__()
        if config.downs < JOIN:
            raise UsageError(f"scgan halves the size at least {JOIN} times, not {config.downs}.")
        self.config: SCGANConfig = config
        width, downs = config.width, config.downs
        self.trunk = ResNet18Trunk()
        self.encoder = nn.ModuleList([_conv(1, width, kernel=7, norm=False)])
        widths = [width * min(8, 2**level) for level in range(downs + 1)]
        inputs = width
        for level in range(1, downs + 1):
            self.encoder.append(_conv(inputs, widths[level], 2, norm=level < downs))
            inputs = widths[level] + (ResNet18Trunk.WIDTHS[-1] if level == JOIN else 0)
        self.decoder = nn.ModuleList()
        for outputs in reversed(widths[:-1]):
            self.decoder.append(_conv(inputs, outputs))
            inputs = 2 * outputs
        self.last = nn.Conv2d(inputs, 2, 3, 1, 1)
        self.saliency = SaliencyBranch(width)

    def forward(self, L: Tensor) -> Prediction:
        """ab (N,2,H,W) and the logits of the saliency map (N,1,H,W) for L (N,1,H,W)."""
        features = self._features(L)
        saliency = self.saliency(features)
        return Prediction(self._colour(features), saliency=saliency.float())

    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H,W) of L (N,1,H,W) in [0,100]."""
        return self._colour(self._features(L))

    def _colour(self, features: _Features) -> Tensor:
        return AB_SCALE * torch.tanh(self.last(features.at1).float())

    def _features(self, L: Tensor) -> _Features:
        x, seen = L / 50 - 1, []
        for level, down in enumerate(self.encoder):
            x = down(x)
            seen.append(x)
            if level == JOIN:
                x = torch.cat([x, self._whole(L)], 1)
        given = []
        for up, beside in zip(self.decoder, reversed(seen[:-1]), strict=True):
            given.append(up(_enlarged(x, beside)))
            x = torch.cat([beside, given[-1]], 1)
        at8, at4, at2 = given[-4:-1]
        return _Features(at8, at4, at2, x)

    def _whole(self, L: Tensor) -> Tensor:
        """What the trunk makes of the picture at half its size: (N,256,H/32,W/32)."""
        grey = linear_to_srgb(lightness_to_luminance(L))
        return self.trunk(functional.avg_pool2d(grey, 2) - GREY_CENTRE)[-1]
