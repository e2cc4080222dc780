"""Where a picture draws the eye: the frequency-tuned saliency of Achanta, on the fly in torch.

Achanta, Hemami, Estrada, Süsstrunk, "Frequency-tuned Salient Region Detection", CVPR 2009, eq. 2
and 3: how far each place, after a small blur, lies in Lab from the mean colour of the picture. It
gives whole regions with sharp borders at full size and costs two means, where a trained saliency
network would be one more set of weights.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def frequency_tuned(lab: Tensor) -> Tensor:
    """The saliency of each place, stretched to [0,1] in each picture as the authors do.

    Args:
        lab: (N,3,H,W) CIE Lab.

    Returns:
        (N,1,H,W) in [0,1]; 0 everywhere in a picture of one colour.
    """
    lab = lab.float()
    blurred = functional.pad(lab, (2, 2, 2, 2), mode="replicate")
    for _ in range(4):  # four times 2×2 is the paper's 5×5 binomial of (1, 4, 6, 4, 1) / 16
        blurred = functional.avg_pool2d(blurred, 2, 1)
    distance = (blurred - lab.mean((2, 3), keepdim=True)).square().sum(1, keepdim=True).sqrt()
    low, high = distance.amin((2, 3), keepdim=True), distance.amax((2, 3), keepdim=True)
    return torch.where(high - low > 1e-3, (distance - low) / (high - low).clamp(min=1e-3), 0.0)
