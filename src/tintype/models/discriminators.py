"""Who judges the generators: convolutional discriminators of patches, pictures and domains.

They are of use in training alone and see planes in [-1,1]: lightness and colours, or one of them.
Batch normalisation always goes by the batch's own statistics and keeps none, so that a verdict
leaves no trace in the judge.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from tintype.errors import UsageError
from tintype.models.pix2pix import LEAK, halving, start_normal

LEAST_PATCH = 24
"""Shortest side that the discriminator of patches can judge."""


def _norm(width: int) -> nn.Module:
    return nn.BatchNorm2d(width, track_running_stats=False)


def _strided(inputs: int, widths: list[int]) -> list[nn.Module]:
    """Halving layers, the first without normalisation."""
    return [
        halving(a, b, _norm(b) if index else None)
        for index, (a, b) in enumerate(pairwise([inputs, *widths]))
    ]


class PatchDiscriminator(nn.Module):
    """One verdict for each patch of 70×70 (Isola 2017, arXiv 1611.07004, section 6.1.2).

    C64-C128-C256-C512 of 4×4 convolutions, the first three of stride 2, and one more to a verdict.
    The hierarchical discriminators of SCGAN are two of them, for the picture and its salient part.

    Args:
        inputs: planes that it sees.
        width: channels of the first layer; 64 is the paper's.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_strided(inputs, [width, 2 * width, 4 * width]),
            nn.Conv2d(4 * width, 8 * width, 4, 1, 1, bias=False),
            _norm(8 * width),
            nn.LeakyReLU(LEAK, inplace=True),
        )
        self.verdict = nn.Conv2d(8 * width, 1, 4, 1, 1)
        start_normal(self)

    def forward(self, planes: Tensor) -> Tensor:
        """Verdicts (N,1,h,w), before a sigmoid, on planes (N,C,H,W); 30×30 for 256×256.

        Raises:
            UsageError: when a side is shorter than ``LEAST_PATCH``.
        """
        return self.verdict(self.features(_large_enough(planes)))


class PictureDiscriminator(nn.Module):
    """One verdict for the whole picture (Nazeri 2018, arXiv 1803.05400, for 256²).

    Six 4×4 convolutions of stride 2 and one fully connected layer, here over the mean of all
    places, so that any size will do.

    Args:
        inputs: planes that it sees.
        width: channels of the first layer; 64 is the paper's.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width, 8 * width]
        self.features = nn.Sequential(*_strided(inputs, widths))
        self.verdict = nn.Linear(widths[-1], 1)
        start_normal(self)

    def forward(self, planes: Tensor) -> Tensor:
        """Verdicts (N,1), before a sigmoid, on planes (N,C,H,W)."""
        return self.verdict(self.features(planes).mean((2, 3)))


class DomainDiscriminator(PatchDiscriminator):
    """A verdict for each patch and the picture's domain (Ji 2021, after Choi 2018).

    Both come from the same features, as in StarGAN (arXiv 1711.09020, section 3.1).

    Args:
        inputs: planes that it sees.
        width: channels of the first layer.
        domains: how many there are.
    """

    def __init__(self, inputs: int, width: int, domains: int) -> None:
        super().__init__(inputs, width)
        self.domain = nn.Linear(8 * width, domains)

    def judge(self, planes: Tensor) -> tuple[Tensor, Tensor]:
        """Verdicts (N,1,h,w) and logits of the domains (N,domains) of planes (N,C,H,W).

        Raises:
            UsageError: when a side is shorter than ``LEAST_PATCH``.
        """
        features = self.features(_large_enough(planes))
        return self.verdict(features), self.domain(features.mean((2, 3)))


def _large_enough(planes: Tensor) -> Tensor:
    height, width = planes.shape[-2:]
    if min(height, width) < LEAST_PATCH:
        raise UsageError(
            f"Colours of {height}×{width} are too small for patches of 70×70: train on larger "
            f"pictures, so that they have {LEAST_PATCH}×{LEAST_PATCH}, or take the discriminator "
            "'picture'."
        )
    return planes


def discriminator(kind: str, inputs: int, width: int) -> nn.Module:
    """A discriminator by its name in a recipe: "patch" or "picture"."""
    kinds: dict[str, type[PatchDiscriminator | PictureDiscriminator]] = {
        "patch": PatchDiscriminator,
        "picture": PictureDiscriminator,
    }
    return kinds[kind](inputs, width)
