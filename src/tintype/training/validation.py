"""How a network does while it trains: PSNR over grey, SSIM and colourfulness of what it predicts.

A quick view of the network alone, without the engine; reports are made by ``evaluation``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.evaluation.metrics import colourfulness, psnr, ssim
from tintype.models import Network
from tintype.training.precision import autocast
from tintype.training.tasks import lightness_of_luma

SHOWN = 8
"""Pictures of each set that are kept to be looked at."""


class Validation(NamedTuple):
    """What a validation found.

    Attributes:
        figures: one row for each way of reading the network: ``head``, ``gain_db`` (mean PSNR
            over the grey picture's), ``psnr_db``, ``colourfulness`` and ``ssim_of_first``.
        shown: uint8 (n, H, W, 3), the first pictures as they are exported.
    """

    figures: list[dict[str, object]]
    shown: NDArray[np.uint8]


@torch.no_grad()
def validate(
    model: Network,
    pictures: NDArray[np.uint8],
    device: torch.device,
    luma: bool = False,
    bf16: bool = True,
    batch: int = 10,
) -> Validation:
    """Score a network on pictures.

    Args:
        model: in evaluation mode.
        pictures: uint8 (n, H, W, 3), H and W multiples of the network's ``size_multiple``.
        device: where the model is.
        luma: give it the luma's grey instead of the lightness.
        bf16: compute in bfloat16 where the device has it.
        batch: pictures at once.
    """
    gains: dict[str, list[tuple[float, float, float]]] = {}
    first: dict[str, float] = {}
    shown: list[NDArray[np.uint8]] = []
    for start in range(0, len(pictures), batch):
        truth = pictures[start : start + batch]
        rgb = torch.from_numpy(truth).to(device).permute(0, 3, 1, 2).float() / 255
        L = rgb_to_lab(rgb, axis=1)[:, :1]
        seen = lightness_of_luma(rgb) if luma else L
        with autocast(device.type, bf16):
            heads = model.heads_ab(seen.contiguous(memory_format=torch.channels_last))
        greys = _join(L, torch.zeros_like(next(iter(heads.values()))))
        for head, ab in heads.items():
            results = _join(L, ab.float())
            for result, grey, true in zip(results, greys, truth, strict=True):
                scored = psnr(result, true)
                row = scored - psnr(grey, true), scored, colourfulness(result)
                gains.setdefault(head, []).append(row)
            first.setdefault(head, ssim(results[0], truth[0]))
            if head == "ab" and len(shown) < SHOWN:
                shown += list(results[: SHOWN - len(shown)])
    figures: list[dict[str, object]] = []
    for head, rows in gains.items():
        names = "gain_db", "psnr_db", "colourfulness"
        means = (round(float(mean), 3) for mean in np.mean(rows, axis=0))
        own = dict(zip(names, means, strict=True)) | {"ssim_of_first": round(first[head], 4)}
        figures.append({"head": head, **own})
    return Validation(figures, np.stack(shown))


def _join(L: Tensor, ab: Tensor) -> NDArray[np.uint8]:
    """Lab to uint8 sRGB (N, H, W, 3); out-of-gamut channels are cut, which is enough here."""
    large = ab
    if ab.shape[-2:] != L.shape[-2:]:
        large = functional.interpolate(ab, L.shape[-2:], mode="bicubic", align_corners=False)
    rgb = lab_to_rgb(torch.cat([L, large], 1), axis=1).clamp(0, 1)
    return np.asarray((rgb * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())
