"""The network of user-guided colorization: a U-Net that takes colour hints.

Zhang, Zhu, Isola, Geng, Lin, Yu, Efros, "Real-Time User-Guided Image Colorization with Learned
Deep Priors", SIGGRAPH 2017 (arXiv 1705.02999, section 3): the local hints network. The blocks are
those of ECCV 2016 with every convolution at stride 1; between them every second row and column is
taken. Three transposed convolutions go back to the full size, each added to a convolution of the
encoder's features at that size. One head names 529 bins per cell at a quarter of the size (the
whole ab grid, 23 by 23, step 10, from -110 to 110, a first), the other gives ab at full size.
Names and indices are those of the authors' PyTorch release, so that its checkpoint loads as it is.

L goes in as (L - 50) / 100, the hints' ab as ab / 110, ab comes out as tanh × 110. The released
colorizer gives the mask as it is, 0 or 1; the authors' training code takes 0.5 off it. Their
published checkpoint is used with the first, which is the default here (``mask_centre``).

Our differences:

- The decoder's tail, which the release computes twice, is computed once.
- The hints' colours are multiplied by their mask, so that what is outside the mask cannot matter.
  The authors' tools put zeros there.
- The authors train one head at a time, with the other's gradient stopped before the blocks that
  both share. Here both heads' gradients pass.
- The head of bins is for training and for proposals. ``predict_ab``, and so the exported graph,
  leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tintype.bins import GRID_STEP, ab_grid
from tintype.models.eccv16 import AB_SCALE, L_CENTRE, L_SCALE, block
from tintype.models.network import Classes, GuidedNetwork, Prediction

CLASSES = (2 * int(AB_SCALE) // GRID_STEP + 1) ** 2
"""Bins of the classification head: 529, the ab grid without regard to the gamut."""


@dataclass(frozen=True)
class SIGGRAPH17Config:
    """Options of the network.

    Attributes:
        width: channels of the first block; the others have 2, 4 and 8 times as many. 64 is the
            paper's.
        mask_centre: taken off the hints' mask: 0 for the authors' published checkpoint, 0.5 for
            weights trained with their training code.
    """

    width: int = 64
    mask_centre: float = 0.0


class Features(NamedTuple):
    """What the heads see: encoder features at strides 1 and 2, decoder features at stride 4."""

    at1: Tensor
    at2: Tensor
    at4: Tensor


class SIGGRAPH17(GuidedNetwork):
    """L (N,1,H,W) and hints to ab (N,2,H,W); H and W multiples of 8."""

    ab_stride = 1
    size_multiple = 8

    def __init__(self, config: SIGGRAPH17Config) -> None:
        super().__init__()
        self.config: SIGGRAPH17Config = config
        w1, w2, w3, w4 = (config.width * times for times in (1, 2, 4, 8))
        self.model1 = block(4, w1, 2)
        self.model2 = block(w1, w2, 2)
        self.model3 = block(w2, w3, 3)
        self.model4 = block(w3, w4, 3)
        self.model5 = block(w4, w4, 3, dilation=2)
        self.model6 = block(w4, w4, 3, dilation=2)
        self.model7 = block(w4, w4, 3)
        # Single layers stand in a Sequential for the sake of the released names ("model8up.0").
        self.model8up = nn.Sequential(nn.ConvTranspose2d(w4, w3, 4, 2, 1))
        self.model3short8 = nn.Sequential(nn.Conv2d(w3, w3, 3, 1, 1))
        self.model8 = nn.Sequential(nn.ReLU(inplace=True), *block(w3, w3, 2))
        self.model9up = nn.Sequential(nn.ConvTranspose2d(w3, w2, 4, 2, 1))
        self.model2short9 = nn.Sequential(nn.Conv2d(w2, w2, 3, 1, 1))
        self.model9 = nn.Sequential(nn.ReLU(inplace=True), *block(w2, w2, 1))
        self.model10up = nn.Sequential(nn.ConvTranspose2d(w2, w2, 4, 2, 1))
        self.model1short10 = nn.Sequential(nn.Conv2d(w1, w2, 3, 1, 1))
        self.model10 = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(w2, w2, 3, 1, 1), nn.LeakyReLU(0.2, inplace=True)
        )
        self.model_class = nn.Sequential(nn.Conv2d(w3, CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(w2, 2, 1), nn.Tanh())
        grid = ab_grid()
        whole = torch.from_numpy(grid[np.abs(grid).max(1) <= AB_SCALE].astype(np.float32))
        self.centres: Tensor
        self.register_buffer("centres", whole, persistent=False)

    def forward(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Prediction:
        """Colour (N,2,H,W) in ab units, logits (N,529,H/4,W/4); arguments as of ``predict_ab``."""
        features = self.features(L, hint_ab, hint_mask)
        return Prediction(self._regress(features), self.model_class(features.at4))

    def predict_ab(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Tensor:
        """The contract: ab (N,2,H,W) in [-110,110].

        Args:
            L: (N,1,H,W) in [0,100].
            hint_ab: (N,2,H,W) ab of the hints; no hints when None.
            hint_mask: (N,1,H,W), 1 where there is a hint, else 0; no hints when None.
        """
        return self._regress(self.features(L, hint_ab, hint_mask))

    def features(
        self, L: Tensor, hint_ab: Tensor | None = None, hint_mask: Tensor | None = None
    ) -> Features:
        """The blocks that both heads share; arguments as of ``predict_ab``."""
        if hint_ab is None or hint_mask is None:
            hint_mask = torch.zeros_like(L)
            hint_ab = hint_mask.expand(-1, 2, -1, -1)
        hints = hint_ab * hint_mask / AB_SCALE, hint_mask - self.config.mask_centre
        at1 = self.model1(torch.cat([(L - L_CENTRE) / L_SCALE, *hints], 1))
        at2 = self.model2(_every_second(at1))
        at4 = self.model3(_every_second(at2))
        at8 = self.model7(self.model6(self.model5(self.model4(_every_second(at4)))))
        return Features(at1, at2, self.model8(self.model8up(at8) + self.model3short8(at4)))

    def classes_of(self) -> Classes:
        """The whole ab grid, 529 bins."""
        return Classes(self.centres)

    def _regress(self, features: Features) -> Tensor:
        x = self.model9(self.model9up(features.at4) + self.model2short9(features.at2))
        x = self.model10(self.model10up(x) + self.model1short10(features.at1))
        return self.model_out(x) * AB_SCALE


def _every_second(x: Tensor) -> Tensor:
    """(N,C,H,W) to (N,C,H/2,W/2): every second row and column."""
    return x[:, :, ::2, ::2]
