"""What the networks are built of: convolution blocks, a ResNet-18 trunk, global context."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from tintype.errors import TrainingError

# torchvision's normalisation of RGB in [0, 1], which the ImageNet encoders were trained with.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def conv_bn_relu(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias, batch normalisation, ReLU; size divided by stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FoldedBlock(nn.Module):
    """A basic block of ResNet-18 whose batch normalisation is folded into the convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        plain = stride == 1 and inputs == outputs
        self.downsample = nn.Identity() if plain else nn.Conv2d(inputs, outputs, 1, stride)
        # Without an encoder to start from: He 2015 (arXiv 1502.01852), each block nearly an
        # identity at first (after Goyal 2017, arXiv 1706.02677, section 5.1), since no
        # normalisation holds it.
        for layer in (self.conv1, self.conv2, self.downsample):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        with torch.no_grad():
            self.conv2.weight *= 0.25

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/stride, W/stride)."""
        inner = self.conv2(torch.relu(self.conv1(x)))
        return torch.relu(inner + self.downsample(x))


class ResNet18Trunk(nn.Module):
    """conv1 to layer 3 of ResNet-18 (He 2016, arXiv 1512.03385), folded.

    For one channel the three input channels of conv1 are summed, since R = G = B for a grey
    picture; the normalisation's mean and deviation are folded into the same weights, so the input
    is the sRGB grey in [0, 1], with the border padded by the mean as ImageNet training did.

    Args:
        inputs: 1 for grey pictures, 3 for RGB.
        width: channels of conv1 and layer 1; those of layers 2 and 3 are 2 and 4 times as many.
            64 is ResNet-18's.
    """

    WIDTHS = (64, 64, 128, 256)
    """Channels of the features at strides 2, 4, 8 and 16, at width 64."""

    def __init__(self, inputs: int = 1, width: int = 64) -> None:
        super().__init__()
        w1, w2, w3 = width, 2 * width, 4 * width
        self.conv1 = nn.Conv2d(inputs, w1, 7, 2, 3)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(FoldedBlock(w1, w1, 1), FoldedBlock(w1, w1, 1))
        self.layer2 = nn.Sequential(FoldedBlock(w1, w2, 2), FoldedBlock(w2, w2, 1))
        self.layer3 = nn.Sequential(FoldedBlock(w2, w3, 2), FoldedBlock(w3, w3, 1))

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N,inputs,H,W) less ``GREY_CENTRE`` to features at strides 2, 4, 8, 16 (``WIDTHS``)."""
        at2 = torch.relu(self.conv1(grey))
        at4 = self.layer1(self.pool(at2))
        at8 = self.layer2(at4)
        return at2, at4, at8, self.layer3(at8)

    def load_encoder(self, path: Path) -> None:
        """Start from ImageNet weights (``resnet18_conv1_layer1-3_bnfolded`` arrays).

        Args:
            path: an .npz with torchvision's key names, batch normalisation folded.

        Raises:
            TrainingError: when the file is missing or holds other keys or shapes.
        """
        try:
            arrays = {
                name.replace("downsample.0", "downsample"): torch.from_numpy(
                    value.astype(np.float32)
                )
                for name, value in np.load(path, allow_pickle=False).items()
            }
            rgb = arrays["conv1.weight"]
            mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
            # conv(w, (g - mean_c) / std_c), written for g - centre; equal channels are summed.
            scaled = rgb / std[:, None, None]
            grey = self.conv1.in_channels == 1
            arrays["conv1.weight"] = scaled.sum(1, keepdim=True) if grey else scaled
            shift = ((GREY_CENTRE - mean) / std)[:, None, None]
            arrays["conv1.bias"] = arrays["conv1.bias"] + (rgb * shift).sum((1, 2, 3))
            self.load_state_dict(arrays)
        except (OSError, EOFError, KeyError, ValueError, RuntimeError, BadZipFile) as error:
            raise TrainingError(f"Cannot start from the encoder {path}: {error}") from error


GREY_CENTRE = 0.449
"""The mean of ImageNet's three channel means: the grey that the trunk takes as zero."""


class ContextStage(nn.Module):
    """A stride-2 stage that knows the whole picture: residual blocks and a pooled vector.

    The mean over all positions is mapped to channels and added everywhere, so that a sky is one
    sky (the global features of Iizuka 2016, reduced to one vector).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = conv_bn_relu(inputs, outputs, stride=2)
        self.inner = nn.Sequential(
            conv_bn_relu(outputs, outputs),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.context = nn.Sequential(nn.Linear(outputs, outputs), nn.ReLU(inplace=True))
        self.mix = nn.Linear(outputs, outputs)
        self.last = conv_bn_relu(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        x = self.down(x)
        x = torch.relu(x + self.inner(x))
        pooled = self.mix(self.context(x.mean((2, 3))))
        return self.last(x + pooled[:, :, None, None])


class UpBlock(nn.Module):
    """Twice the size: convolution, bilinear up-sampling, the encoder's features added, convolution.

    Up-sampling by interpolation instead of transposed convolution leaves no checkerboard.
    """

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.before = conv_bn_relu(inputs, outputs)
        self.skip = nn.Sequential(nn.Conv2d(skip, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.after = conv_bn_relu(outputs, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, inputs, H, W) and (N, skip, 2H, 2W) to (N, outputs, 2H, 2W)."""
        x = nn.functional.interpolate(self.before(x), scale_factor=2, mode="bilinear")
        return self.after(torch.relu(x + self.skip(skip)))
