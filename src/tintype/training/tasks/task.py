"""What a kind of training is: the networks it moves and the losses that move them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tintype.color import lab_to_rgb, luma, luminance_to_lightness, rgb_to_lab, srgb_to_linear
from tintype.models import Network
from tintype.training.config import Recipe
from tintype.training.datasets import PictureCache
from tintype.training.precision import autocast
from tintype.training.prepare.ready import lab_of_codes

SAMPLE = 2000
"""Pictures that priors and palettes are measured on."""


class Batch(NamedTuple):
    """Pictures of a step.

    Attributes:
        L: (N,1,S,S) what the network sees, in [0,100].
        lab: (N,3,S,S) the true colours.
        label: (N,) int64, the kind of each picture.
        seeds: (N) of random numbers of each picture's own, for what a task varies: the same in
            whichever part or process the picture is.
    """

    L: Tensor
    lab: Tensor
    label: Tensor
    seeds: Sequence[tuple[int, ...]]

    def rngs(self) -> list[np.random.Generator]:
        """Random numbers of each picture's own, from the start."""
        return [np.random.default_rng(seed) for seed in self.seeds]


class Setting(NamedTuple):
    """What a task begins with.

    Attributes:
        recipe: of the run.
        cache: the training pictures.
        data: the data directory.
        fresh: whether the network is new; the palette and the class weights of a trained
            one stay.
    """

    recipe: Recipe
    cache: PictureCache
    data: Path
    fresh: bool


class Task(nn.Module, ABC):
    """A network in training, with whatever helps to train it.

    Attributes:
        model: the network that is averaged, validated and exported.
        players: who moves in a step, in turn; each has an optimizer of its own.
    """

    players: tuple[str, ...] = ("model",)

    def __init__(self, model: Network, setting: Setting) -> None:
        super().__init__()
        self.model = model
        self.recipe = setting.recipe

    def parameter_groups(self, player: str) -> list[dict[str, object]]:
        """The optimizer groups of a player."""
        optimizer = self.recipe.optimizer
        return self.model.parameter_groups(optimizer.rate, optimizer.trunk_rate)

    @abstractmethod
    def losses(self, player: str, batch: Batch, rng: np.random.Generator) -> dict[str, Tensor]:
        """Named terms for a player's move; "loss" is what is minimised, the others are shown.

        Args:
            player: one of ``players``.
            batch: pictures.
            rng: of this step, the same for all parts of a batch.
        """

    def autocast(self, L: Tensor) -> torch.autocast:
        """The precision that the recipe asks for, as far as the device has it."""
        return autocast(L.device.type, self.recipe.precision == "bf16")


def lab_of_crops(
    crops: NDArray[np.uint8], size: int, device: torch.device, ready: bool = False
) -> tuple[Tensor, Tensor]:
    """Colours on the fly: uint8 (N, side, side, 3) to Lab and to sRGB in [0,1].

    Args:
        crops: sRGB, or the codes of Lab.
        size: side to scale to, in pixels.
        device: where the answer is.
        ready: whether the crops are codes.

    Returns:
        Both (N, 3, size, size) float32.
    """
    planes = torch.from_numpy(lab_of_codes(crops) if ready else crops).to(device)
    planes = planes.permute(0, 3, 1, 2).float()
    if planes.shape[-1] != size:
        planes = functional.interpolate(
            planes, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    if ready:
        return planes, lab_to_rgb(planes, axis=1)
    return rgb_to_lab(planes / 255, axis=1), planes / 255


def lightness_of_luma(rgb: Tensor) -> Tensor:
    """L (N,1,H,W) of the neutral grey that has the BT.601 luma of sRGB (N,3,H,W) in [0,1]."""
    grey = luma(rgb, "bt601", axis=1)
    return luminance_to_lightness(srgb_to_linear(grey)).reshape(len(rgb), 1, *rgb.shape[2:])


def shrunk(lab: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """(N,C,H,W) averaged over cells to (N,C,*size), H and W being multiples of size."""
    step = lab.shape[-2] // size[0]
    return functional.avg_pool2d(lab, step) if step > 1 else lab


def sample_pixels(cache: PictureCache) -> NDArray[np.float32]:
    """Colours of the training pictures, for priors and palettes: (n,3) sRGB in [0,1]."""
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(cache), min(len(cache), SAMPLE), replace=False)
    pixels = [cache.picture(int(i))[4::16, 4::16].reshape(-1, 3) for i in chosen]
    colours = np.concatenate(pixels)
    rgb = lab_to_rgb(lab_of_codes(colours)).clip(0, 1) if cache.ready else colours / 255
    return np.asarray(rgb, np.float32)
