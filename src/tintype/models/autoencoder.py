"""The convolutional autoencoder of public studies: 3.1 million parameters, regression of ab.

Eight 3×3 convolutions: 64, 128 and 256 channels, each halved in size by pooling, then 512 and 256,
and 128, 64 and 2 channels on the way back, each after an up-sampling by two. A ReLU and then
batch normalisation follow each convolution but the last, which ends in tanh: ab / 128. In all
3,102,530 trainable parameters and 2,816 running statistics, layer by layer those of the study.
There is no paper; a second study puts the normalisation before the ReLU (``norm_first``), which
leaves every count as it is. Both train on the mean square error with Adam.

Our differences:

- L goes in as L / 100. The studies do not say how; theirs may be L as it is (recalled).
- Batch normalisation as torch has it (momentum 0.1, epsilon 1e-5); the studies' framework takes
  0.01 and 1e-3 (recalled). Pooling is by the maximum, up-sampling by the nearest neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tintype.models.network import Network, Prediction

AB_SCALE = 128.0
"""The study's unit of ab."""


@dataclass(frozen=True)
class AutoencoderConfig:
    """Options of the network.

    Attributes:
        width: channels of the first convolution; the others have 2, 4 and 8 times as many. 64 is
            the study's.
        norm_first: batch normalisation before the ReLU instead of after it.
    """

    width: int = 64
    norm_first: bool = False


class Autoencoder(Network):
    """L (N,1,H,W) to ab (N,2,H,W); H and W multiples of 8."""

    ab_stride = 1
    size_multiple = 8
    colour_span = 110 / AB_SCALE

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config: AutoencoderConfig = config
        w1, w2, w3, w4 = (config.width * times for times in (1, 2, 4, 8))
        self.encoder = nn.Sequential(
            self._layer(1, w1),
            nn.MaxPool2d(2),
            self._layer(w1, w2),
            nn.MaxPool2d(2),
            self._layer(w2, w3),
            nn.MaxPool2d(2),
            self._layer(w3, w4),
        )
        self.decoder = nn.Sequential(
            self._layer(w4, w3),
            nn.Upsample(scale_factor=2),
            self._layer(w3, w2),
            nn.Upsample(scale_factor=2),
            self._layer(w2, w1),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(w1, 2, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, L: Tensor) -> Prediction:
        """Colour (N,2,H,W), ab / 128, for L (N,1,H,W) in [0,100]."""
        return Prediction(self.decoder(self.encoder(L / 100)))

    def ab_of(self, colour: Tensor, L: Tensor) -> Tensor:
        """The ab, (N,2,h,w), of ab / 128."""
        return colour * AB_SCALE

    def target(self, lab: Tensor) -> Tensor:
        """The true ab / 128, (N,2,h,w)."""
        return lab[:, 1:] / AB_SCALE

    def _layer(self, inputs: int, outputs: int) -> nn.Sequential:
        conv, norm = nn.Conv2d(inputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs)
        relu = nn.ReLU(inplace=True)
        return (
            nn.Sequential(conv, norm, relu)
            if self.config.norm_first
            else nn.Sequential(conv, relu, norm)
        )
