"""Training without pairs: greys of some pictures, colours of others, domains (MC-GAN, Ji 2021).

A grey becomes a picture for the domain that a mask vector names, and a second generator turns
pictures into greys. Each has a discriminator; that of the pictures also names their domain. Going
there and back must return to the start (Zhu 2017, arXiv 1703.10593, eq. 2), and what is grey
already must stay as it is on the way to grey (the identity loss of section 5.2). The domain losses
are those of Choi 2018 (arXiv 1711.09020, eq. 2 and 3).

No loss compares a grey's colours with its true ones. But since a picture keeps the lightness it was
coloured from, the way of a picture to grey and back can only close when that grey is its lightness,
and then it teaches colours nearly as pairs would. The second generator, therefore, does not paint a
grey anew but adds to the picture's lightness.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from tintype.errors import TrainingError
from tintype.models import Network
from tintype.models.discriminators import DomainDiscriminator, PatchDiscriminator
from tintype.models.mcgan import MCGAN, Translator
from tintype.training.losses import deceit_loss, verdict_loss
from tintype.training.objectives import Cycle
from tintype.training.tasks.adversarial import Weighted, weighed
from tintype.training.tasks.task import Batch, Setting, Task


class Unpaired(NamedTuple):
    """Greys and pictures of a step; no picture gives both.

    Attributes:
        grey: (n,1,H,W) lightness in [-1,1], of the first half of a batch.
        wanted: (n,domains) the mask vectors that the greys are coloured for.
        named: (n,) which of them name one domain, instead of the mean of all.
        label: (n,) the domains of the greys.
        picture: (n,3,H,W) lightness and ab in [-1,1], of the second half.
        mask: (n,domains) the mask vectors that the pictures are coloured again for.
        domain: (n,) their domains.
    """

    grey: Tensor
    wanted: Tensor
    named: Tensor
    label: Tensor
    picture: Tensor
    mask: Tensor
    domain: Tensor


class CycleTask(Task):
    """Two generators against two discriminators."""

    model: MCGAN
    players = ("discriminator", "generator")

    def __init__(self, model: Network, setting: Setting) -> None:
        super().__init__(model, setting)
        objective, kinds = setting.recipe.objective, setting.cache.labels()[1]
        if not isinstance(objective, Cycle):
            raise TypeError(objective)
        if not isinstance(model, MCGAN):
            raise TrainingError(
                f"The task 'cycle' trains mcgan alone, not '{setting.recipe.architecture}'."
            )
        self.objective, options = objective, model.config
        if options.domains != len(kinds):
            shown = ", ".join(kinds[:4]) + (", ..." if len(kinds) > 4 else "")
            raise TrainingError(
                f"The network has {options.domains} domains, but the training pictures come from "
                f"{len(kinds)} sources ({shown}): set options.domains to {len(kinds)}."
            )
        self.bleach = Translator(3, 1, options.width, options.blocks)
        width = objective.discriminator_width
        self.of_pictures = DomainDiscriminator(3, width, options.domains)
        self.of_greys = PatchDiscriminator(1, width)

    def parameter_groups(self, player: str) -> list[dict[str, object]]:
        """The discriminators' weights, or both generators'."""
        if player == "generator":
            rate = self.recipe.optimizer.rate
            back = {"params": list(self.bleach.parameters()), "lr": rate}
            return [*super().parameter_groups(player), back]
        rate = self.objective.discriminator_rate
        judges = [*self.of_pictures.parameters(), *self.of_greys.parameters()]
        return [{"params": judges, "lr": rate}]

    def losses(self, player: str, batch: Batch, rng: np.random.Generator) -> dict[str, Tensor]:
        """What both discriminators, or both generators, lose.

        Raises:
            TrainingError: when a batch, or a part of it, is one picture.
        """
        for judge in (self.of_pictures, self.of_greys):
            judge.requires_grad_(player == "discriminator")
        data = self.unpaired(batch)
        with self.autocast(batch.L):
            return weighed(
                self._judged(data) if player == "discriminator" else self._deceived(data)
            )

    def unpaired(self, batch: Batch) -> Unpaired:
        """The greys of one half of a batch and the colours of the other."""
        half = len(batch.L) // 2
        if half == 0:
            raise TrainingError(
                "Training without pairs takes greys and colours of different pictures: give each "
                "process two pictures or more in each part of a batch."
            )
        label, domain = batch.label[:half], batch.label[half : 2 * half]
        masks = torch.eye(self.model.config.domains).to(batch.L)
        shares = torch.tensor([rng.random() for rng in batch.rngs()[: 2 * half]])
        drawn = (shares >= self.objective.without_domain).to(label.device)
        # Pictures, too, for the mean: only their way back says which colours are the true ones.
        chosen = torch.where(drawn[:, None], masks[torch.cat([label, domain])], masks.mean(0))
        named, wanted, mask = drawn[:half], chosen[:half], chosen[half:]
        ab = batch.lab[half : 2 * half, 1:]
        # With the lightness that the network is given, grain and fading included: else these alone
        # would tell true from made, and the made ones can do nothing about it.
        picture = torch.cat([batch.L[half : 2 * half] / 50 - 1, ab / self.model.colour_span], 1)
        grey = batch.L[:half] / 50 - 1
        return Unpaired(grey, wanted, named, label, picture, mask, domain)

    def to_picture(self, grey: Tensor, mask: Tensor) -> Tensor:
        """Greys (n,1,H,W) in [-1,1] with colours (n,3,H,W) in [-1,1] for mask vectors."""
        ab = self.model.colour_for((grey + 1) * 50, mask)
        return torch.cat([grey, ab / self.model.colour_span], 1)

    def to_grey(self, picture: Tensor) -> Tensor:
        """Pictures (n,3,H,W) in [-1,1] to greys (n,1,H,W), about [-1,1]."""
        return picture[:, :1] + self.bleach(picture).float()

    def _judged(self, data: Unpaired) -> Weighted:
        kind = self.objective.verdict
        with torch.no_grad():
            painted, bleached = self.to_picture(data.grey, data.wanted), self.to_grey(data.picture)
        verdict, domain = self.of_pictures.judge(data.picture)
        named = functional.cross_entropy(domain.float(), data.domain)
        return {
            "real": (1.0, verdict_loss(verdict, 1.0, kind)),
            "fake": (1.0, verdict_loss(self.of_pictures(painted), 0.0, kind)),
            "real_grey": (1.0, verdict_loss(self.of_greys(data.grey), 1.0, kind)),
            "fake_grey": (1.0, verdict_loss(self.of_greys(bleached), 0.0, kind)),
            "domain": (self.objective.domain, named),
        }

    def _deceived(self, data: Unpaired) -> Weighted:
        how, distance = self.objective, functional.l1_loss
        painted, bleached = self.to_picture(data.grey, data.wanted), self.to_grey(data.picture)
        verdict, domain = self.of_pictures.judge(painted)
        each = functional.cross_entropy(domain.float(), data.label, reduction="none")
        named = (each * data.named).sum() / data.named.sum().clamp(min=1)
        back = self.to_picture(bleached, data.mask)
        terms = {
            "adversarial": (how.adversarial, deceit_loss(verdict, how.verdict)),
            "adversarial_grey": (
                how.adversarial,
                deceit_loss(self.of_greys(bleached), how.verdict),
            ),
            "domain": (how.domain, named),
            "cycle": (how.cycle, distance(back, data.picture)),
            "cycle_grey": (how.cycle, distance(self.to_grey(painted), data.grey)),
        }
        if how.identity:
            still = torch.cat([data.grey, torch.zeros_like(data.picture[:, 1:])], 1)
            terms["identity"] = how.identity, distance(self.to_grey(still), data.grey)
        return terms
