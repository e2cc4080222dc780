"""Training with a saliency map: SCGAN (Zhao 2021, arXiv 2011.11377).

The network predicts, beside the colours, where the picture draws the eye; the true map is
``saliency_maps.frequency_tuned`` of the true colours. One discriminator judges the whole picture,
another the picture multiplied by its map, predicted or true. The paper's objective is L1, an
attention loss (L1 of the colours multiplied by their map) and a perceptual loss beside the
adversarial one, for which the authors took Wasserstein's distance with a gradient penalty; here it
is one of ``objectives.Verdict``. The mean absolute error of the map is ours: without it the map
could be anything that pleases the other losses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tintype.color import lab_to_rgb
from tintype.errors import TrainingError
from tintype.models import Network
from tintype.training.objectives import Saliency
from tintype.training.perceptual import Perceptual
from tintype.training.saliency_maps import frequency_tuned
from tintype.training.tasks.adversarial import WHOLE, AdversarialTask, Painting, Weighted
from tintype.training.tasks.task import Batch, Setting, shrunk

SALIENT = "salient"
"""The discriminator that sees the salient part."""


class SaliencyTask(AdversarialTask):
    """Two discriminators, colours, a saliency map and, if wanted, a perceptual loss."""

    def __init__(self, model: Network, setting: Setting) -> None:
        super().__init__(model, setting)
        objective = self.objective
        if not isinstance(objective, Saliency):
            raise TypeError(objective)
        self.how = objective
        self.judges[SALIENT] = self.new_judge()
        self.perceptual: nn.Module | None = None
        if objective.perceptual:
            name = objective.perceptual_encoder
            self.perceptual = Perceptual(setting.data / name if name else None)

    def predicted(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The colours and the logits of the map.

        Raises:
            TrainingError: when the network predicts no map.
        """
        colour, logits = super().predicted(batch)
        if logits is None:
            raise TrainingError(
                f"The architecture '{self.recipe.architecture}' predicts no saliency map: train it "
                "with the task 'adversarial'."
            )
        return colour, logits

    def true(self, batch: Batch, like: Painting) -> Painting:
        """The true colours and their map."""
        saliency = frequency_tuned(shrunk(batch.lab, like.colour.shape[-2:]))
        return super().true(batch, like)._replace(saliency=saliency)

    def shown(self, painting: Painting) -> dict[str, Tensor]:
        """The whole picture to one, to the other its salient part."""
        shown = super().shown(painting)
        return shown | {SALIENT: shown[WHOLE] * painting.saliency}

    def deceived(self, painted: Painting, true: Painting, batch: Batch) -> Weighted:
        """What the generator loses: "saliency", "attention" and "perceptual" beside the others."""
        terms = super().deceived(painted, true, batch)
        seen, wanted = (each.colour * each.saliency for each in (painted, true))
        for name, weight, ours, theirs in (
            ("saliency", self.how.saliency, painted.saliency, true.saliency),
            ("attention", self.how.attention, seen, wanted),
        ):
            terms[name] = weight, functional.l1_loss(ours, theirs)
        if self.perceptual is not None:
            pictures = (self._rgb(each, batch) for each in (painted, true))
            terms["perceptual"] = self.how.perceptual, self.perceptual(*pictures)
        return terms

    def _rgb(self, painting: Painting, batch: Batch) -> Tensor:
        """sRGB (N,3,h,w) in [0,1], with the true lightness."""
        L = shrunk(batch.lab[:, :1], painting.colour.shape[-2:])
        ab = self.model.ab_of(painting.colour * self.model.colour_span, L)
        return lab_to_rgb(torch.cat([L, ab], 1), axis=1).clamp(0, 1)
