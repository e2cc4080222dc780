"""Colours that know the whole picture: a local and a global path, joined in a fusion layer.

Iizuka, Simo-Serra, Ishikawa, "Let there be Color!", SIGGRAPH 2016 (no arXiv; section 3, figure 2
and table 1: recalled). Six 3×3 convolutions that both paths share lead to stride 8. The local path
adds two more. The global path adds four, ends in one vector and three layers on it. The fusion
layer gives every place that vector: relu(b + W [global; local]) (their equation 3: recalled).
A decoder with two up-samplings ends at ab, at half of the size. From the global vector, beside
it, a small head names the kind of scene, where training has labels (their section 3.3: recalled).

Our differences:

- Theirs scales the picture to 224² for the global path, whose 7×7 cells all go into the first of
  its layers, and runs the shared convolutions twice. Here they run once, at the picture's own size,
  and the mean over all cells goes in, so that any multiple of 8 does, at less cost and with fewer
  parameters; where something is in the picture, the vector no longer says.
- The fusion's matrix is applied in two parts, to each place and once to the vector, which is the
  same sum.
- Theirs ends in a sigmoid over ab scaled to [0,1], here it is tanh × 110: the same curve. L goes in
  as (L - 50) / 100. Ours ends at half of the size, too; the engine's join does the rest.
- AdamW instead of ADADELTA (recalled).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.models.blocks import conv_bn_relu
from tintype.models.eccv16 import AB_SCALE, L_CENTRE, L_SCALE
from tintype.models.network import Network, Prediction


@dataclass(frozen=True)
class FusionConfig:
    """Options of the network.

    Attributes:
        width: channels of the first convolution; all others follow. 64 is the paper's.
        scenes: kinds of scene to be named in training; 0 leaves that head out. The paper's
            Places set has 205.
    """

    width: int = 64
    scenes: int = 0


class Fusion(Network):
    """L (N,1,H,W) to ab (N,2,H/2,W/2); H and W multiples of 8."""

    ab_stride = 2
    size_multiple = 8

    def __init__(self, config: FusionConfig) -> None:
        super().__init__()
        self.config: FusionConfig = config
        half, w1, w2, w4, w8 = (config.width * times // 2 for times in (1, 2, 4, 8, 16))
        self.shared = nn.Sequential(
            conv_bn_relu(1, w1, stride=2),
            conv_bn_relu(w1, w2),
            conv_bn_relu(w2, w2, stride=2),
            conv_bn_relu(w2, w4),
            conv_bn_relu(w4, w4, stride=2),
            conv_bn_relu(w4, w8),
        )
        self.local_path = nn.Sequential(conv_bn_relu(w8, w8), conv_bn_relu(w8, w4))
        self.global_path = nn.Sequential(
            conv_bn_relu(w8, w8, stride=2),
            conv_bn_relu(w8, w8),
            conv_bn_relu(w8, w8, stride=2),
            conv_bn_relu(w8, w8),
        )
        self.vector = nn.Sequential(_linear_relu(w8, 2 * w8), _linear_relu(2 * w8, w8))
        self.global_part = nn.Sequential(_linear_relu(w8, w4), nn.Linear(w4, w4))
        self.local_part = nn.Conv2d(w4, w4, 1, bias=False)
        self.decoder = nn.Sequential(
            conv_bn_relu(w4, w2),
            nn.Upsample(scale_factor=2),
            conv_bn_relu(w2, w1),
            conv_bn_relu(w1, w1),
            nn.Upsample(scale_factor=2),
            conv_bn_relu(w1, half),
            nn.Conv2d(half, 2, 3, 1, 1),
            nn.Tanh(),
        )
        self.scenes = (
            nn.Sequential(_linear_relu(w8, w4), nn.Linear(w4, config.scenes))
            if config.scenes
            else None
        )

    def forward(self, L: Tensor) -> Prediction:
        """Colour (N,2,H/2,W/2) in ab units, scene (N,scenes), for L (N,1,H,W) in [0,100]."""
        shared = self.shared((L - L_CENTRE) / L_SCALE)
        vector = self.vector(self.global_path(shared).mean((2, 3)))
        colour = self._colour(self.local_path(shared), vector)
        return Prediction(colour, scene=self.scenes(vector) if self.scenes is not None else None)

    def _colour(self, local: Tensor, vector: Tensor) -> Tensor:
        everywhere = self.global_part(vector)[:, :, None, None]
        fused = torch.relu(self.local_part(local) + everywhere)
        return self.decoder(fused) * AB_SCALE


def _linear_relu(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(inplace=True))
