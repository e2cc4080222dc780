"""Training on pairs: a network sees the grey of a picture and is told its colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tintype.bins import NEIGHBOURS, rebalancing_weights, rgb_palette
from tintype.color import lab_to_rgb, rgb_to_lab
from tintype.errors import TrainingError
from tintype.models import Classes, Network, Prediction
from tintype.training.losses import (
    BinsCrossEntropy,
    PaletteCrossEntropy,
    colour_distance,
    colourfulness,
    palette_prior,
    prior_of,
)
from tintype.training.objectives import Supervised
from tintype.training.perceptual import Perceptual
from tintype.training.tasks.task import Batch, Setting, Task, sample_pixels, shrunk
from tintype.training.teacher import Teacher

PALETTE_PIXELS = 50_000
"""Pixels that a palette is found among."""


class SupervisedTask(Task):
    """Distances of colours, cross-entropy of classes, and what else the objective weighs."""

    def __init__(self, model: Network, setting: Setting) -> None:
        """Measure priors and palettes over the training pictures and build the losses.

        Raises:
            TrainingError: when the objective asks for a head that the network has not.
        """
        super().__init__(model, setting)
        objective = setting.recipe.objective
        if not isinstance(objective, Supervised):
            raise TypeError(objective)
        self.objective = objective
        self.kinds = len(setting.cache.labels()[1])
        self.cross_entropy = self._cross_entropy(setting) if objective.classes else None
        self.perceptual = None
        if objective.perceptual:
            name = objective.perceptual_encoder
            self.perceptual = Perceptual(setting.data / name if name else None)
        self.teacher = Teacher(objective.teacher) if objective.teaching else None

    def _cross_entropy(self, setting: Setting) -> BinsCrossEntropy | PaletteCrossEntropy:
        classes, objective = self.model.classes_of(), self.objective
        if classes is None:
            raise TrainingError(
                f"The architecture '{setting.recipe.architecture}' predicts no classes: "
                "set the objective's weight of classes to 0."
            )
        pixels = sample_pixels(setting.cache)
        if classes.palette is None:
            centres = np.asarray(classes.centres)
            prior = prior_of(rgb_to_lab(pixels)[:, 1:], centres)
            neighbours = NEIGHBOURS if objective.encoding == "soft" else 1
            weights = self._weights(classes, prior, setting)
            return BinsCrossEntropy(centres, weights, neighbours)
        chosen = np.random.default_rng(0).permutation(len(pixels))[:PALETTE_PIXELS]
        if setting.fresh:
            palette = rgb_palette(pixels[chosen], len(classes.palette))
            classes.palette.copy_(torch.from_numpy(palette))
        prior = palette_prior(pixels, np.asarray(classes.palette))
        return PaletteCrossEntropy(classes.palette, self._weights(classes, prior, setting))

    def _weights(
        self, classes: Classes, prior: NDArray[np.float64], setting: Setting
    ) -> NDArray[np.float32]:
        """The rebalancing; a network that reads its classes by one goes on with the same."""
        kept = classes.log_weights
        if kept is not None and not setting.fresh and kept.any():
            return np.asarray(kept.exp(), np.float32)
        weights = rebalancing_weights(prior, self.objective.rebalancing)
        if kept is not None:
            kept.copy_(torch.from_numpy(np.log(weights)))
        return weights

    def losses(self, player: str, batch: Batch, rng: np.random.Generator) -> dict[str, Tensor]:
        """The weighted sum, and each term that has a weight."""
        with self.autocast(batch.L):
            prediction = self.predict(batch, rng)
        terms = self.terms(prediction, batch, rng)
        total = torch.stack([weight * term for weight, term in terms.values()]).sum()
        return {"loss": total} | {name: term.detach() for name, (_, term) in terms.items()}

    def predict(self, batch: Batch, rng: np.random.Generator) -> Prediction:
        """What the network says."""
        return self.model(batch.L.contiguous(memory_format=torch.channels_last))

    def terms(
        self, prediction: Prediction, batch: Batch, rng: np.random.Generator
    ) -> dict[str, tuple[float, Tensor]]:
        """Name to weight and value; what weighs nothing is not computed."""
        objective = self.objective
        terms: dict[str, tuple[float, Tensor]] = {}
        if objective.regression:
            distance = self._distance(prediction, batch)
            terms["regression"] = objective.regression, distance
        if self.teacher is not None:
            terms["teaching"] = objective.teaching, self._taught(self.teacher, prediction, batch)
        if self.cross_entropy is not None and prediction.logits is not None:
            entropy, least = self._classify(self.cross_entropy, prediction.logits, batch, rng)
            terms["classes"] = objective.classes, entropy
            terms["least_classes"] = 0.0, least
        if objective.scenes:
            terms["scenes"] = objective.scenes, self._scenes(prediction.scene, batch)
        if objective.perceptual or objective.colourfulness:
            terms |= self._appearance(prediction, batch)
        return terms

    def _distance(self, prediction: Prediction, batch: Batch) -> Tensor:
        if prediction.colour is None:
            raise TrainingError(
                f"The architecture '{self.recipe.architecture}' predicts classes only: "
                "set the objective's weights of regression and teaching to 0."
            )
        true = self.model.target(shrunk(batch.lab, prediction.colour.shape[-2:]))
        unit = 110.0 / self.model.colour_span
        kind, beta = self.objective.distance, self.objective.huber_beta
        return colour_distance(prediction.colour, true, kind, beta, unit)

    def _taught(self, teacher: Teacher, prediction: Prediction, batch: Batch) -> Tensor:
        """The distance from what the teacher makes of the same pictures."""
        with self.autocast(batch.L):
            ab = teacher.ab(batch.lab[:, :1])
        lab = torch.cat([shrunk(batch.lab[:, :1], ab.shape[-2:]), ab], 1)
        colour = prediction.colour
        if colour is not None and colour.shape[-1] > ab.shape[-1]:  # finer than the teacher's
            prediction = prediction._replace(colour=shrunk(colour, ab.shape[-2:]))
        return self._distance(prediction, batch._replace(lab=lab))

    def _classify(
        self,
        loss: BinsCrossEntropy | PaletteCrossEntropy,
        logits: Tensor,
        batch: Batch,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        true = shrunk(batch.lab, logits.shape[-2:])
        step = self.objective.class_step
        down, right = (int(v) for v in rng.integers(0, step, 2))
        flat_logits, colours = (
            part[..., down::step, right::step].permute(0, 2, 3, 1).reshape(-1, part.shape[1])
            for part in (logits, true)
        )
        if isinstance(loss, PaletteCrossEntropy):
            colours = lab_to_rgb(colours).clamp(0, 1)
        answer: tuple[Tensor, Tensor] = loss(flat_logits, colours)
        return answer

    def _scenes(self, logits: Tensor | None, batch: Batch) -> Tensor:
        named = 0 if logits is None else logits.shape[1]
        if logits is None or named != self.kinds:
            raise TrainingError(
                f"The network names {named} kinds of scene, the training pictures are of "
                f"{self.kinds}: set options.scenes to that, or the objective's scenes to 0."
            )
        return functional.cross_entropy(logits.float(), batch.label)

    def _appearance(self, prediction: Prediction, batch: Batch) -> dict[str, tuple[float, Tensor]]:
        """Terms that look at the picture with its colours in RGB."""
        rgb, true = self._pictures(prediction, batch)
        terms: dict[str, tuple[float, Tensor]] = {}
        if self.perceptual is not None:
            terms["perceptual"] = self.objective.perceptual, self.perceptual(rgb, true)
        if self.objective.colourfulness:
            dull = 1 - colourfulness(rgb).mean() / 100  # DDColor (arXiv 2212.11613), eq. 9
            terms["dullness"] = self.objective.colourfulness, dull
        return terms

    def _pictures(self, prediction: Prediction, batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true sRGB in [0,1], at the size of the prediction."""
        if prediction.colour is None:
            raise TrainingError("Perceptual and colourfulness losses need a network with colours.")
        true = shrunk(batch.lab, prediction.colour.shape[-2:])
        ab = self.model.ab_of(prediction.colour.float(), true[:, :1])
        lab = torch.cat([true[:, :1], ab], 1)
        return lab_to_rgb(lab, axis=1).clamp(0, 1), lab_to_rgb(true, axis=1).clamp(0, 1)
