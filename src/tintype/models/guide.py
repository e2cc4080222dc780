"""What colour hints change: a small U-Net that spreads them over the things they lie on.

The task is that of Zhang 2017 (arXiv 1705.02999, section 3): points of colour in, their objects
coloured. The network is ours. It sees the features that the trunk has computed anyway, the colours
that were chosen without hints, and how far the hints differ from them; it answers with what is to
be added. Without hints that is exactly nothing, so the automatic result cannot suffer, and a
session leaves all of it out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tintype.models.blocks import ContextStage, UpBlock, conv_bn_relu

AB_SCALE = 50.0
"""The unit of ab here, so that inputs and outputs are about 1."""

_LEAST = 1e-3  # of a cell that hints cover; a single pixel of a cell of 4 by 4 is 1/16


class Guide(nn.Module):
    """Hints and a trunk's features to a correction of ab at stride 4.

    Args:
        trunk: channels of the trunk's features at strides 4, 8 and 16.
        width: channels at stride 4; 2, 4 and 5 times as many at strides 8, 16 and 32.
    """

    def __init__(self, trunk: tuple[int, int, int], width: int) -> None:
        super().__init__()
        at4, at8, at16 = trunk
        self.hints = conv_bn_relu(6, width)
        self.seen4 = conv_bn_relu(at4, width, kernel=1)
        self.seen8 = conv_bn_relu(at8, 2 * width, kernel=1)
        self.seen16 = conv_bn_relu(at16, 4 * width, kernel=1)
        self.down8 = conv_bn_relu(2 * width, 2 * width, stride=2)
        self.down16 = conv_bn_relu(4 * width, 4 * width, stride=2)
        self.context = ContextStage(8 * width, 5 * width)
        self.up16 = UpBlock(5 * width, 8 * width, 4 * width)
        self.up8 = UpBlock(4 * width, 4 * width, 2 * width)
        self.up4 = UpBlock(2 * width, 2 * width, width)
        self.last = nn.Conv2d(width, 2, 3, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(
        self, trunk: tuple[Tensor, Tensor, Tensor], ab: Tensor, hint_ab: Tensor, hint_mask: Tensor
    ) -> Tensor:
        """What is to be added to ab (N,2,h,w).

        Args:
            trunk: features at strides 4, 8 and 16.
            ab: (N,2,H/4,W/4) chosen without hints.
            hint_ab: (N,2,H,W) ab of the hints.
            hint_mask: (N,1,H,W), 1 where there is a hint.
        """
        covered = nn.functional.avg_pool2d(hint_mask, 4)
        wanted = nn.functional.avg_pool2d(hint_ab * hint_mask, 4) / covered.clamp(min=_LEAST)
        there = (covered > 0).to(ab)
        told = torch.cat([(wanted - ab) * there / AB_SCALE, covered, there, ab / AB_SCALE], 1)
        x4 = torch.cat([self.hints(told), self.seen4(trunk[0])], 1)
        x8 = torch.cat([self.down8(x4), self.seen8(trunk[1])], 1)
        x16 = torch.cat([self.down16(x8), self.seen16(trunk[2])], 1)
        x = self.up4(self.up8(self.up16(self.context(x16), x16), x8), x4)
        any_hint = there.amax((1, 2, 3), keepdim=True)
        change: Tensor = self.last(x) * AB_SCALE * any_hint
        return change
