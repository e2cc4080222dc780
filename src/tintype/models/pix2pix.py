"""The generator of pix2pix: a U-Net that paints a grey picture in RGB.

Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", CVPR
2017 (arXiv 1611.07004), section 6.1.1: eight 4×4 convolutions of stride 2 with leaky ReLU (0.2),
C64-C128-C256-C512-C512-C512-C512-C512, and eight transposed ones back, each beside the encoder's
features of its size; batch normalisation except in the first layer and in the innermost (section
6.2); half of the values dropped in the first three layers of the decoder; tanh at the end; weights
from N(0, 0.02). It is trained by ``training.tasks.adversarial`` on equation 4: the cross-entropies
of equation 1, the generator's written as -log D, and λ = 100 times the L1 of equation 3.

L becomes the neutral sRGB grey x of 0 to 255 and goes in as x / 127.5 - 1; RGB comes out in the
same range and becomes ab inside the graph.

Our differences:

- Grey is one channel, not three equal ones.
- A size that does not halve eight times is padded where it becomes odd, and cut on the way back,
  so that any multiple of 32 will do; where it does halve, 256² for one, nothing changes.
- Nothing is dropped outside training, and batch normalisation then uses running statistics. The
  paper keeps both as its noise; here the same picture always gets the same colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from tintype.color import lab_to_rgb, lightness_to_luminance, linear_to_srgb, rgb_to_lab
from tintype.errors import UsageError
from tintype.models.network import Network, Prediction

LEAK = 0.2
"""Slope of the leaky ReLU below zero, in generators and discriminators."""

DROPPED = 3
"""So many layers of the decoder, from the innermost, drop half of their values in training."""


@dataclass(frozen=True)
class Pix2PixConfig:
    """Options of the network.

    Attributes:
        width: channels of the first layer; the others have 2, 4 and 8 times as many. 64 is the
            paper's.
        downs: how often the size is halved. 8 is the paper's, for 256²; pictures of 128² need 7.
    """

    width: int = 64
    downs: int = 8


def halving(
    inputs: int, outputs: int, norm: nn.Module | None = None, stride: int = 2
) -> nn.Sequential:
    """A 4×4 convolution and leaky ReLU; the size is divided by the stride and rounded up.

    Args:
        inputs: channels that go in.
        outputs: channels that come out.
        norm: between convolution and leaky ReLU, if anything.
        stride: 2, or 1 for a layer that keeps the size.
    """
    conv = nn.Conv2d(inputs, outputs, 4, stride, bias=norm is None)
    normed = [conv] if norm is None else [conv, norm]
    return nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), *normed, nn.LeakyReLU(LEAK, inplace=True))


def doubling(inputs: int, outputs: int, *, drop: bool) -> nn.Sequential:
    """A transposed 4×4 convolution, batch normalisation, dropout if asked for, ReLU."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
        nn.BatchNorm2d(outputs),
        *([nn.Dropout(0.5)] if drop else []),
        nn.ReLU(inplace=True),
    )


def through(encoder: nn.ModuleList, decoder: nn.ModuleList, x: Tensor) -> Tensor:
    """Down and back up, each layer of the decoder beside the encoder's features of its size.

    Args:
        encoder: layers from the largest size to the smallest.
        decoder: one layer fewer, from the smallest size to the largest.
        x: (N,C,H,W).

    Returns:
        The last of the decoder beside the first of the encoder.
    """
    seen = []
    for down in encoder:
        x = down(x)
        seen.append(x)
    for up, beside in zip(decoder, reversed(seen[:-1]), strict=True):
        x = up(x)[..., : beside.shape[-2], : beside.shape[-1]]
        x = torch.cat([x, beside], 1)
    return x


def start_normal(network: nn.Module) -> None:
    """Draw the weights of convolutions and normalisations from N(0, 0.02) and N(1, 0.02)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


class Pix2Pix(Network):
    """L (N,1,H,W) to ab (N,2,H,W) by way of RGB; H and W multiples of 32."""

    ab_stride = 1
    size_multiple = 32
    colour_span = 1.0

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        if config.downs < 2:
            raise UsageError(f"pix2pix halves the size at least twice, not {config.downs} times.")
        self.config: Pix2PixConfig = config
        widths = [config.width * min(8, 2**level) for level in range(config.downs)]
        self.encoder = nn.ModuleList()
        for level, (inputs, outputs) in enumerate(pairwise([1, *widths])):
            plain = level in (0, config.downs - 1)
            self.encoder.append(
                halving(inputs, outputs, None if plain else nn.BatchNorm2d(outputs))
            )
        self.decoder = nn.ModuleList()
        inputs = widths[-1]
        for index, outputs in enumerate(reversed(widths[:-1])):
            self.decoder.append(doubling(inputs, outputs, drop=index < DROPPED))
            inputs = 2 * outputs
        self.last = nn.ConvTranspose2d(inputs, 3, 4, 2, 1)
        start_normal(self)

    def forward(self, L: Tensor) -> Prediction:
        """RGB (N,3,H,W) in [-1,1] for L (N,1,H,W) in [0,100]."""
        grey = linear_to_srgb(lightness_to_luminance(L))
        # 2·grey - 1 is x / 127.5 - 1 for x = 255·grey.
        painted = self.last(through(self.encoder, self.decoder, 2 * grey - 1))
        # bf16 is too coarse for a colour: half a step of 8 bits at the ends.
        return Prediction(torch.tanh(painted.float()))

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab of RGB (N,3,h,w) in [-1,1]; its own lightness is dropped."""
        return rgb_to_lab((colour + 1) / 2, axis=1)[:, 1:]

    def target(self, lab: Tensor) -> Tensor:
        """The true RGB (N,3,h,w) in [-1,1]."""
        return 2 * lab_to_rgb(lab, axis=1).clamp(0, 1) - 1
