"""Training with simulated colour hints, so that a network learns to follow a user's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tintype.errors import TrainingError
from tintype.models import GuidedNetwork, Network, Prediction
from tintype.training.objectives import Guided
from tintype.training.tasks.supervised import SupervisedTask
from tintype.training.tasks.task import Batch, Setting


class GuidedTask(SupervisedTask):
    """As supervised, with a few spots of the true colours given (Zhang 2017, section 3.2)."""

    model: GuidedNetwork

    def __init__(self, model: Network, setting: Setting) -> None:
        super().__init__(model, setting)
        if not (isinstance(model, GuidedNetwork) and model.guided):
            raise TrainingError(
                f"The architecture '{setting.recipe.architecture}' takes no hints: "
                "train it with the task supervised."
            )

    def predict(self, batch: Batch, rng: np.random.Generator) -> Prediction:
        """What the network says to L and simulated hints."""
        if not isinstance(self.objective, Guided):
            raise TypeError(self.objective)
        hint_ab, mask = simulated_hints(batch.lab[:, 1:], self.objective, batch.rngs())
        return self.model(batch.L, hint_ab, mask)


def simulated_hints(
    ab: Tensor, how: Guided, rngs: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    """Spots of the true colours, as a user might give them.

    The number of a picture's spots is geometric and can be 0; their places are Gaussian around the
    centre; each is a square that shows the mean of the colours below it.

    Args:
        ab: (N,2,H,W) true colours.
        how: number, places and sizes.
        rngs: (N) random numbers of each picture.

    Returns:
        ``hint_ab`` (N,2,H,W), 0 where there is no hint, and ``hint_mask`` (N,1,H,W) of 0 and 1.
    """
    hints, mask = torch.zeros_like(ab), torch.zeros_like(ab[:, :1])
    size = np.asarray(ab.shape[-2:])
    for index, (picture, rng) in enumerate(zip(ab, rngs, strict=True)):
        if rng.random() < how.all_hints:
            hints[index], mask[index] = picture, 1.0
            continue
        for _ in range(rng.geometric(how.hint_stop) - 1):
            side = min(int(rng.integers(how.hint_sides[0], how.hint_sides[1] + 1)), *size)
            centre = rng.normal(size / 2, how.hint_spread * size)
            top, left = np.clip((centre - side / 2).astype(int), 0, size - side)
            spot = np.s_[top : top + side, left : left + side]
            hints[index][:, *spot] = picture[:, *spot].mean((1, 2), keepdim=True)
            mask[index][:, *spot] = 1.0
    return hints, mask
