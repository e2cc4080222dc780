"""The network of "Colorful Image Colorization": classification over 313 ab bins.

Zhang, Isola, Efros, ECCV 2016 (arXiv 1603.08511; figure 2 and table 4). Eight blocks of 3×3
convolutions, each followed by a ReLU, each block closed by batch normalisation. Strides end at 8;
blocks 5 and 6 see further by dilation 2. Block 8 goes back to a quarter of the size and names 313
bins per cell. Names and indices are those of the authors' PyTorch release, so that its checkpoint
loads as it is.

L goes in as (L - 50) / 100. In the release the softmax is not tempered: a 1×1 convolution without
bias, ``model_out``, maps its 313 probabilities to ab / 110, and a ×4 bilinear up-sampling follows.

Our differences:

- ``predict_ab`` is the paper's annealed mean (section 2.3, T = 0.38) over the bins' centres, and
  the release's way on request (``released_mean``), which its checkpoint expects. ``model_out``
  starts as the centres / 110, so both agree on new weights at T = 1.
- ab stays at a quarter of the size. The ×4 up-sampling is the engine's join, cubic, not bilinear.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tintype.bins import TEMPERATURE, annealed_mean, in_gamut_centres
from tintype.models.network import Classes, Network, Prediction

L_CENTRE = 50.0
"""The lightness that the network takes as zero."""

L_SCALE = 100.0
"""The network's unit of lightness."""

AB_SCALE = 110.0
"""The unit of ab in ``model_out`` (and, in SIGGRAPH17, of the hints)."""


@dataclass(frozen=True)
class ECCV16Config:
    """Options of the network.

    Attributes:
        width: channels of the first block; the others have 2, 4 and 8 times as many. 64 is the
            paper's.
        temperature: of the annealed mean.
        released_mean: take the untempered mean through ``model_out``, as the authors' checkpoint
            expects, instead of the annealed mean.
    """

    width: int = 64
    temperature: float = TEMPERATURE
    released_mean: bool = False


def block(
    inputs: int, outputs: int, convolutions: int, stride: int = 1, dilation: int = 1
) -> nn.Sequential:
    """So many pairs of 3×3 convolution and ReLU, closed by one batch normalisation.

    Args:
        inputs: channels that go in.
        outputs: channels of every convolution.
        convolutions: how many.
        stride: of the last convolution; the size is divided by it.
        dilation: of all convolutions.
    """
    layers: list[nn.Module] = []
    for index in range(convolutions):
        step = stride if index == convolutions - 1 else 1
        source = outputs if index else inputs
        layers += [nn.Conv2d(source, outputs, 3, step, dilation, dilation), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs))


class ECCV16(Network):
    """L (N,1,H,W) to ab (N,2,H/4,W/4); H and W multiples of 8."""

    ab_stride = 4
    size_multiple = 8

    def __init__(self, config: ECCV16Config) -> None:
        super().__init__()
        self.config: ECCV16Config = config
        w1, w2, w3, w4 = (config.width * times for times in (1, 2, 4, 8))
        centres = torch.from_numpy(in_gamut_centres().copy())
        self.model1 = block(1, w1, 2, stride=2)
        self.model2 = block(w1, w2, 2, stride=2)
        self.model3 = block(w2, w3, 3, stride=2)
        self.model4 = block(w3, w4, 3)
        self.model5 = block(w4, w4, 3, dilation=2)
        self.model6 = block(w4, w4, 3, dilation=2)
        self.model7 = block(w4, w4, 3)
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(w4, w3, 4, 2, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(w3, w3, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(w3, w3, 3, 1, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(w3, len(centres), 1),
        )
        self.model_out = nn.Conv2d(len(centres), 2, 1, bias=False)
        with torch.no_grad():
            self.model_out.weight.copy_(centres.T[:, :, None, None] / AB_SCALE)
        self.centres: Tensor
        self.register_buffer("centres", centres, persistent=False)

    def forward(self, L: Tensor) -> Prediction:
        """Logits (N,313,H/4,W/4) of the bins for L (N,1,H,W) in [0,100]."""
        return Prediction(logits=self._logits(L))

    def predict_ab(self, L: Tensor) -> Tensor:
        """The contract: ab (N,2,H/4,W/4) of L (N,1,H,W) in [0,100]."""
        return self.mean(self._logits(L))

    def _logits(self, L: Tensor) -> Tensor:
        x = self.model3(self.model2(self.model1((L - L_CENTRE) / L_SCALE)))
        return self.model8(self.model7(self.model6(self.model5(self.model4(x)))))

    def mean(self, logits: Tensor) -> Tensor:
        """ab (N,2,h,w) of logits (N,313,h,w), as the options say."""
        if self.config.released_mean:
            return self.model_out(logits.softmax(1)) * AB_SCALE
        return annealed_mean(logits, self.centres, self.config.temperature)

    def classes_of(self) -> Classes:
        """The 313 bins."""
        return Classes(self.centres)
