"""Training against a discriminator: pix2pix (Isola 2017), DCGAN (Nazeri 2018), and their like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tintype.errors import TrainingError
from tintype.models import Network
from tintype.models.discriminators import discriminator
from tintype.training.losses import deceit_loss, verdict_loss
from tintype.training.objectives import Adversarial
from tintype.training.tasks.task import Batch, Setting, Task, shrunk

Weighted = dict[str, tuple[float, Tensor]]
"""Name of a term to its weight and value."""

WHOLE = "picture"
"""The discriminator that sees all; its terms have plain names, those of others end in theirs."""


class Painting(NamedTuple):
    """A picture as a discriminator is shown it.

    Attributes:
        L: (N,1,h,w) the lightness that the network was given, in [-1,1].
        colour: (N,C,h,w) in the network's own space, in [-1,1].
        saliency: (N,1,h,w) in [0,1]; 1 everywhere where the network predicts none.
    """

    L: Tensor
    colour: Tensor
    saliency: Tensor


class AdversarialTask(Task):
    """One discriminator and the mean absolute error of colours, for any network with colours.

    The discriminator moves first. It adds up the losses of true and of painted pictures and does
    not halve them. Lightness is shrunk to the size of the colours.
    """

    players = ("discriminator", "generator")

    def __init__(self, model: Network, setting: Setting) -> None:
        super().__init__(model, setting)
        objective = setting.recipe.objective
        if not isinstance(objective, Adversarial):
            raise TypeError(objective)
        self.objective = objective
        self.planes = 1 + model.target(torch.zeros(1, 3, 1, 1)).shape[1]
        self.judges = nn.ModuleDict({WHOLE: self.new_judge()})

    def new_judge(self) -> nn.Module:
        """A discriminator as the objective asks for it."""
        how = self.objective
        return discriminator(how.discriminator, self.planes, how.discriminator_width)

    def parameter_groups(self, player: str) -> list[dict[str, object]]:
        """The discriminators' weights, or the generator's."""
        if player == "generator":
            return super().parameter_groups(player)
        rate = self.objective.discriminator_rate
        return [{"params": list(self.judges.parameters()), "lr": rate}]

    def losses(self, player: str, batch: Batch, rng: np.random.Generator) -> dict[str, Tensor]:
        """For the discriminator "real" and "fake", for the generator "adversarial" and "l1"."""
        self.judges.requires_grad_(player == "discriminator")
        with self.autocast(batch.L):
            if player == "discriminator":
                with torch.no_grad(), statistics_kept(self.model):
                    painted = self.painted(batch)
                return weighed(self.judged(painted, self.true(batch, painted)))
            painted = self.painted(batch)
            return weighed(self.deceived(painted, self.true(batch, painted), batch))

    def predicted(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The colours and the logits of the salient, as the network predicts them.

        Raises:
            TrainingError: when it predicts no colours.
        """
        prediction = self.model(batch.L.contiguous(memory_format=torch.channels_last))
        if prediction.colour is None:
            raise TrainingError(
                f"The architecture '{self.recipe.architecture}' predicts no colours but classes: "
                "it cannot be trained against a discriminator."
            )
        return prediction.colour.float(), prediction.saliency

    def painted(self, batch: Batch) -> Painting:
        """What the network makes of the greys."""
        colour, logits = self.predicted(batch)
        L = shrunk(batch.L, colour.shape[-2:]) / 50 - 1
        saliency = torch.ones_like(L) if logits is None else logits.float().sigmoid()
        return Painting(L, colour / self.model.colour_span, saliency)

    def true(self, batch: Batch, like: Painting) -> Painting:
        """The true colours of the same greys, at the same size."""
        lab = shrunk(batch.lab, like.colour.shape[-2:])
        colour = self.model.target(lab) / self.model.colour_span
        return Painting(like.L, colour, torch.ones_like(like.L))

    def shown(self, painting: Painting) -> dict[str, Tensor]:
        """What each of ``judges`` sees."""
        return {WHOLE: torch.cat([painting.L, painting.colour], 1)}

    def judged(self, painted: Painting, true: Painting) -> Weighted:
        """What the discriminators lose."""
        kind, smooth = self.objective.verdict, self.objective.smooth_real
        fakes, terms = self.shown(painted), {}
        for name, real in self.shown(true).items():
            judge, ending = self.judges[name], _ending(name)
            terms[f"real{ending}"] = 1.0, verdict_loss(judge(real), smooth, kind)
            terms[f"fake{ending}"] = 1.0, verdict_loss(judge(fakes[name]), 0.0, kind)
        return terms

    def deceived(self, painted: Painting, true: Painting, batch: Batch) -> Weighted:
        """What the generator loses."""
        terms: Weighted = {}
        for name, fake in self.shown(painted).items():
            deceit = deceit_loss(self.judges[name](fake), self.objective.verdict)
            terms[f"adversarial{_ending(name)}"] = self.objective.adversarial, deceit
        terms["l1"] = self.objective.l1, functional.l1_loss(painted.colour, true.colour)
        return terms


def _ending(judge: str) -> str:
    return "" if judge == WHOLE else f"_{judge}"


def weighed(terms: Weighted) -> dict[str, Tensor]:
    """The weighted sum as "loss", and each term by its name."""
    total = torch.stack([weight * term for weight, term in terms.values()]).sum()
    return {"loss": total} | {name: term.detach() for name, (_, term) in terms.items()}


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """The network's batch normalisation works as ever but does not move its running statistics.

    They move in the network's own turn; the other side's must leave no trace.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    tracked = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracks in zip(norms, tracked, strict=True):
            norm.track_running_stats = tracks
