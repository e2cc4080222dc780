"""The default network: a ResNet-18 trunk, a context stage, a light decoder, two heads.

The trunk (He 2016, arXiv 1512.03385, to layer 3) comes from ImageNet; everything after it is
trained from the start. The regression head is safe and pale; the bins head (Zhang 2016,
arXiv 1603.08511, section 2) is vivid. ``predict_ab`` mixes both: (1 - bins_share) of the
regression, bins_share of the annealed mean. Dense 3×3 convolutions only, since these run at the
speed of the machine, and ab at a quarter of the input's size, which loses nothing that shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tintype.bins import annealed_mean, in_gamut_centres
from tintype.color import lightness_to_luminance, linear_to_srgb
from tintype.models.blocks import GREY_CENTRE, ContextStage, ResNet18Trunk, UpBlock, conv_bn_relu
from tintype.models.network import Network

AB_SCALE = 50.0
"""The regression head's unit in ab, so that its outputs are about 1."""


@dataclass(frozen=True)
class TintypeConfig:
    """Options of the network.

    Attributes:
        context_width: channels of the stage at stride 32.
        decoder_widths: channels at strides 16, 8 and 4.
        bins_share: part of the annealed mean in ``predict_ab``, 0 to 1.
        temperature: of the annealed mean.
        calm: how much of the rebalancing the annealed mean takes back, 0 to 1. Training on
            weights w teaches probabilities p·w; p·w^(1 - calm) is what is averaged. 0 is vivid
            beyond the truth, 1 pale.
    """

    context_width: int = 384
    decoder_widths: tuple[int, int, int] = (256, 192, 128)
    bins_share: float = 0.5
    temperature: float = 0.38
    calm: float = 0.5


class Heads(NamedTuple):
    """What training needs: ``ab`` (N,2,h,w) in ab units and ``logits`` (N,313,h,w)."""

    ab: Tensor
    logits: Tensor


class Tintype(Network):
    """L (N,1,H,W) to ab (N,2,H/4,W/4); H and W multiples of 32."""

    ab_stride = 4
    size_multiple = 32

    def __init__(self, config: TintypeConfig) -> None:
        super().__init__()
        self.config = config
        at4, at8, at16 = ResNet18Trunk.WIDTHS[1:]
        wide, middle, narrow = config.decoder_widths
        self.trunk = ResNet18Trunk()
        self.context = ContextStage(at16, config.context_width)
        self.up16 = UpBlock(config.context_width, at16, wide)
        self.up8 = UpBlock(wide, at8, middle)
        self.up4 = UpBlock(middle, at4, narrow)
        self.last = conv_bn_relu(narrow, narrow)
        self.regression = nn.Conv2d(narrow, 2, 1)
        centres = torch.from_numpy(in_gamut_centres().copy())
        self.classes = nn.Conv2d(narrow, len(centres), 1)
        self.centres: Tensor
        self.register_buffer("centres", centres, persistent=False)
        # Of the rebalancing that the classes are trained with; the task sets it.
        self.log_weights: Tensor
        self.register_buffer("log_weights", torch.zeros(len(centres)))

    def forward(self, L: Tensor) -> Heads:
        """Both heads for L (N,1,H,W) in [0,100]."""
        grey = linear_to_srgb(lightness_to_luminance(L))
        _, at4, at8, at16 = self.trunk(grey - GREY_CENTRE)
        x = self.up16(self.context(at16), at16)
        x = self.last(self.up4(self.up8(x, at8), at4))
        return Heads(self.regression(x) * AB_SCALE, self.classes(x))

    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H/4,W/4) of L (N,1,H,W) in [0,100]."""
        return self.mix(self(L))

    def mix(self, heads: Heads) -> Tensor:
        """One ab (N,2,h,w) of both heads, as the options say."""
        calmed = heads.logits - self.config.calm * self.log_weights[:, None, None]
        vivid = annealed_mean(calmed, self.centres, self.config.temperature)
        share = self.config.bins_share
        return (1 - share) * heads.ab + share * vivid

    def parameter_groups(self, rate: float, trunk_rate: float) -> list[dict[str, object]]:
        """Optimizer groups: the trained trunk moves slower than the new layers."""
        # In the order of definition: a checkpoint keeps the optimizer's state by position.
        named = list(self.named_parameters())
        trunk = [p for name, p in named if name.startswith("trunk.")]
        new = [p for name, p in named if not name.startswith("trunk.")]
        return [{"params": trunk, "lr": trunk_rate}, {"params": new, "lr": rate}]
