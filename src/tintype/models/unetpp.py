"""The nested U-Net: each skip is a path of its own, and the colours are those of television.

UNet++ (Zhou 2018, arXiv 1807.10165, figure 1 and equation 1): node (i, j) lies at stride 2^i, sees
all nodes (i, 0) to (i, j - 1) before it and the up-sampled node (i + 1, j - 1) below, and passes on
two convolutions of them. Color-UNet++ (Di 2021, Multimedia Tools and Applications: recalled, not
re-read) colours pictures with it in YUV: it sees Y', predicts U and V, and up-samples without
uneven overlap, since a transposed convolution whose kernel its stride does not divide leaves a
checkerboard (Odena 2016, "Deconvolution and Checkerboard Artifacts").

The engine keeps L, not Y'. The network sees the Y' of the neutral grey that has this L; the colour
that it means is the one with this L and the predicted U and V. ``ab_of`` finds its Y' by Newton's
method, two steps being right to 0.6 in ab for all of sRGB; the grey's Y' alone would be off by up
to 12. A colour that is not in sRGB is mixed with the grey of its L until it is.

Our differences:

- U and V are Cb and Cr of BT.601, that is, U / 0.872 and V / 1.230, so that both span [-0.5, 0.5].
- Up-sampling is bilinear for all, the convolutions being those of the next node.
- One output, that of the last node: no deep supervision, and no pruning.
- 32 to 512 channels as UNet++ has them (its table 2: recalled); Color-UNet++'s are not known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tintype.color import (
    SRGB_TO_XYZ,
    lab_to_rgb,
    lightness_to_luminance,
    linear_to_srgb,
    linear_to_xyz,
    rgb_to_ycbcr,
    srgb_to_linear,
    xyz_to_lab,
    ycbcr_to_rgb,
)
from tintype.models.blocks import conv_bn_relu
from tintype.models.network import Network, Prediction

LEVELS = 5
"""Strides 1, 2, 4, 8 and 16."""

NEWTON_STEPS = 2


@dataclass(frozen=True)
class UNetPPConfig:
    """Options of the network.

    Attributes:
        width: channels at full size; they double with each of four poolings. 32 is the paper's.
    """

    width: int = 32


class UNetPP(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 16."""

    ab_stride = 1
    size_multiple = 16
    colour_span = 0.5

    def __init__(self, config: UNetPPConfig) -> None:
        super().__init__()
        self.config: UNetPPConfig = config
        widths = [config.width * 2**level for level in range(LEVELS)]
        self.nodes = nn.ModuleDict()
        for i, width in enumerate(widths):
            self.nodes[_name(i, 0)] = _pair(widths[i - 1] if i else 1, width)
            for j in range(1, LEVELS - i):
                self.nodes[_name(i, j)] = _pair(j * width + widths[i + 1], width)
        self.last = nn.Conv2d(config.width, 2, 1)

    def forward(self, L: Tensor) -> Prediction:
        """Colour (N,2,H,W), U and V in [-0.5,0.5], for L (N,1,H,W) in [0,100]."""
        x = linear_to_srgb(lightness_to_luminance(L)) - 0.5
        rows: list[list[Tensor]] = []
        for level in range(LEVELS):
            x = self.nodes[_name(level, 0)](functional.max_pool2d(x, 2) if level else x)
            rows.append([x])
            for i in range(level - 1, -1, -1):
                below = functional.interpolate(rows[i + 1][-1], scale_factor=2, mode="bilinear")
                node = self.nodes[_name(i, level - i)]
                rows[i].append(node(torch.cat([*rows[i], below], 1)))
        return Prediction(0.5 * torch.tanh(self.last(rows[0][-1])))

    def target(self, lab: Tensor) -> Tensor:
        """The true U and V (N,2,h,w) of Lab (N,3,h,w)."""
        return rgb_to_ycbcr(lab_to_rgb(lab, axis=1), axis=1)[:, 1:]

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab of the colour with this U and V and this L, made paler where it is not in sRGB.

        Args:
            colour: (N,2,h,w), U and V.
            L: (N,1,h,w) in [0,100].

        Returns:
            (N,2,h,w); a gradient exists for both everywhere.
        """
        luminance = lightness_to_luminance(L)
        linear = _with_luminance(luminance, torch.cat([torch.zeros_like(L), colour], 1))
        # Towards grey in linear light, where the luminance stays as it is.
        offsets = linear - _luminance(linear)
        room = torch.where(offsets > 0, 1 - luminance, luminance)
        inside = (room / offsets.abs().clamp(min=1e-6)).amin(1, keepdim=True).clamp(0, 1)
        return xyz_to_lab(linear_to_xyz(luminance + inside * offsets, axis=1), axis=1)[:, 1:]


def _with_luminance(luminance: Tensor, yuv: Tensor) -> Tensor:
    """Linear light (N,3,h,w) of the colours with this luminance (N,1,h,w) and this U and V.

    Args:
        luminance: Y in [0,1].
        yuv: (N,3,h,w), Y' being 0.
    """
    offsets = ycbcr_to_rgb(yuv, axis=1)
    luma = linear_to_srgb(luminance)
    for _ in range(NEWTON_STEPS):
        rgb = luma + offsets
        linear = srgb_to_linear(rgb)
        # The derivative of sRGB's curve (IEC 61966-2-1, section 5.2), from its value.
        slope = (2.4 * linear / (rgb.abs() + 0.055)).abs().clamp(min=1 / 12.92)
        luma = luma - (_luminance(linear) - luminance) / _luminance(slope)
    return srgb_to_linear(luma + offsets)


def _luminance(linear: Tensor) -> Tensor:
    """Y (N,1,h,w) of linear light (N,3,h,w)."""
    weights = linear.new_tensor(SRGB_TO_XYZ[1]).reshape(3, 1, 1)
    return (weights * linear).sum(1, keepdim=True)


def _name(i: int, j: int) -> str:
    return f"{i}_{j}"


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_bn_relu(inputs, outputs), conv_bn_relu(outputs, outputs))
