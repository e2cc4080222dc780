"""How a network does while it trains: PSNR over grey and colourfulness of both heads.

A quick view of the network alone, without the engine; reports are made by ``evaluation``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tintype.bins import TEMPERATURE, annealed_mean
from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.evaluation.metrics import colourfulness, psnr
from tintype.models.tintype import Heads, Tintype


@torch.no_grad()
def score(
    model: Tintype, pictures: NDArray[np.uint8], device: torch.device, batch: int = 10
) -> dict[str, float]:
    """Mean PSNR gain over the grey picture (dB) and colourfulness, per head and mixed.

    Args:
        model: in evaluation mode.
        pictures: uint8 (n, H, W, 3), H and W multiples of 32.
        device: where the model is.
        batch: pictures at once.

    Returns:
        ``regression_gain_db``, ``regression_colourfulness``, likewise ``classes`` and ``mixed``.
    """
    sums: dict[str, list[float]] = {}
    for start in range(0, len(pictures), batch):
        truth = pictures[start : start + batch]
        rgb = torch.from_numpy(truth).to(device).permute(0, 3, 1, 2).float() / 255
        L = rgb_to_lab(rgb, axis=1)[:, :1]
        with torch.autocast(device.type, torch.bfloat16):
            heads = model(L.contiguous(memory_format=torch.channels_last))
        heads = Heads(heads.ab.float(), heads.logits.float())
        vivid = annealed_mean(heads.logits, model.centres, TEMPERATURE)
        greys = _join(L, torch.zeros_like(vivid))
        predictions = {"regression": heads.ab, "classes": vivid, "mixed": model.mix(heads)}
        for name, ab in predictions.items():
            for result, grey, true in zip(_join(L, ab), greys, truth, strict=True):
                gain = psnr(result, true) - psnr(grey, true)
                sums.setdefault(f"{name}_gain_db", []).append(gain)
                sums.setdefault(f"{name}_colourfulness", []).append(colourfulness(result))
    return {name: round(float(np.mean(values)), 3) for name, values in sums.items()}


def _join(L: Tensor, ab: Tensor) -> NDArray[np.uint8]:
    """Lab to uint8 sRGB (N, H, W, 3); out-of-gamut channels are cut, which is enough here."""
    large = functional.interpolate(ab, L.shape[-2:], mode="bicubic", align_corners=False)
    rgb = lab_to_rgb(torch.cat([L, large], 1), axis=1).clamp(0, 1)
    return np.asarray((rgb * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu())
