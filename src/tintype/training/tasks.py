"""What one training step means: from uint8 crops to a loss, for each kind of network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tintype.color import rgb_to_lab
from tintype.models.tintype import Tintype
from tintype.training.config import Film, Loss
from tintype.training.datasets import PictureCache
from tintype.training.losses import SoftCrossEntropy, prior_of, smooth_l1


def lab_of_crops(crops: NDArray[np.uint8], size: int, device: torch.device) -> Tensor:
    """L and ab on the fly: uint8 sRGB (N, side, side, 3) to Lab (N, 3, size, size) float32."""
    rgb = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255
    if rgb.shape[-1] != size:
        rgb = functional.interpolate(
            rgb, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
    return rgb_to_lab(rgb, axis=1)


def disturb_lightness(L: Tensor, film: Film, rng: np.random.Generator) -> Tensor:
    """Make some of the greys look like old film: tone, grain, blur; the colours stay true.

    Args:
        L: (N,1,H,W) in [0,100].
        film: probabilities.
        rng: of this step.

    Returns:
        The same shape, in [0,100].
    """
    n = len(L)

    def some(probability: float, low: float, high: float, otherwise: float) -> Tensor:
        drawn = np.where(rng.random(n) < probability, rng.uniform(low, high, n), otherwise)
        return torch.from_numpy(drawn).to(L).reshape(n, 1, 1, 1)

    gamma, contrast = some(film.tone, 0.7, 1.4, 1.0), some(film.tone, 0.7, 1.1, 1.0)
    lift = some(film.tone, 0.0, 1.0, 0.0) * (1 - contrast).clamp(min=0)
    L = 100 * ((L / 100).clamp(1e-4, 1) ** gamma * contrast + lift)
    blur, grain = some(film.blur, 0.3, 1.0, 0.0), some(film.grain, 1.0, 4.0, 0.0)
    L = L + blur * (functional.avg_pool2d(L, 3, 1, 1, count_include_pad=False) - L)
    noise = torch.from_numpy(rng.standard_normal(L.shape, np.float32)).to(L)
    return (L + grain * noise).clamp(0, 100)


class BinsAndRegression:
    """The task of ``tintype``: smooth L1 of the regression head, soft classes of the bins head."""

    def __init__(self, loss: Loss, film: Film, cache: PictureCache, device: torch.device) -> None:
        """Measure the prior over a sample of the training pictures and build the losses."""
        rng = np.random.default_rng(0)
        sample = rng.choice(len(cache), min(len(cache), 2000), replace=False)
        pixels = [cache.picture(int(i))[4::16, 4::16].reshape(-1, 3) for i in sample]
        lab = rgb_to_lab(np.concatenate(pixels).astype(np.float32) / 255)
        self.prior = prior_of(lab[:, 1:])
        self.loss, self.film = loss, film
        self.cross_entropy = SoftCrossEntropy(self.prior, loss.rebalancing).to(device)

    def step(self, model: Tintype, lab: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        """The losses of a batch: Lab (N,3,H,W) to named terms; "loss" is what is minimised."""
        L = disturb_lightness(lab[:, :1], self.film, rng)
        true_ab = functional.avg_pool2d(lab[:, 1:], model.ab_stride)
        with torch.autocast(L.device.type, torch.bfloat16):
            heads = model(L.contiguous(memory_format=torch.channels_last))
        regression = smooth_l1(heads.ab, true_ab, self.loss.smooth_l1_beta)
        # Neighbouring pixels say nearly the same: one of each 2×2 is classified, at a quarter
        # of the time.
        down, right = (int(v) for v in rng.integers(0, 2, 2))
        logits, colours = (
            t[..., down::2, right::2].permute(0, 2, 3, 1).reshape(-1, t.shape[1])
            for t in (heads.logits, true_ab)
        )
        classes = self.cross_entropy(logits, colours)
        total = self.loss.regression * regression + self.loss.classes * classes
        return {"loss": total, "regression": regression.detach(), "classes": classes.detach()}
