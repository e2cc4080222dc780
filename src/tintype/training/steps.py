"""What one step of training is: a batch drawn, losses, gradients shared, weights moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tintype.errors import TrainingError
from tintype.models import Network, build
from tintype.models.blocks import ResNet18Trunk
from tintype.training.augment import disturb_lightness, film_lightness, rotate
from tintype.training.checkpoints import load_average
from tintype.training.config import Phase, Recipe
from tintype.training.datasets import PictureCache, Sampler, draw_weights
from tintype.training.distributed import Processes
from tintype.training.restore import network_of_graph
from tintype.training.tasks import TASKS, Batch, Setting, Task, lab_of_crops, lightness_of_luma
from tintype.training.teacher import network_of_model

Terms = dict[str, dict[str, Tensor]]
"""Player to its named losses."""


def new_task(recipe: Recipe, data: Path, cache: PictureCache, start: Path | None) -> Task:
    """A network with fresh, pre-trained or another run's weights, and what trains it.

    Raises:
        TrainingError: when the options do not fit, or the encoder or the start are not to be had.
    """
    torch.manual_seed(recipe.seed)
    try:
        model = build(recipe.architecture, recipe.options)
    except TypeError as error:
        raise TrainingError(f"The recipe's options do not fit: {error}") from error
    if start is not None:
        _load_start(start, model)
    elif recipe.encoder is not None:
        trunk = getattr(model, "trunk", None)
        if not isinstance(trunk, ResNet18Trunk):
            raise TrainingError(f"The architecture '{recipe.architecture}' takes no encoder.")
        _load_trunk(recipe.encoder, data, trunk)
    names = [name for name, _ in model.named_parameters()]
    for prefix in recipe.freeze:
        if not any(name.startswith(prefix) for name in names):
            raise TrainingError(f"The network has no part '{prefix}' to freeze.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not (recipe.freeze and name.startswith(recipe.freeze)))
    return TASKS[recipe.task](model, Setting(recipe, cache, data, start is None))


def _load_trunk(encoder: str, data: Path, trunk: ResNet18Trunk) -> None:
    if encoder.endswith(".npz"):
        trunk.load_encoder(data / encoder)
        return
    try:
        trunk.load_state_dict(network_of_model(encoder).get_submodule("trunk").state_dict())
    except (AttributeError, RuntimeError) as error:
        raise TrainingError(f"The model '{encoder}' has another trunk: {error}") from error


def _load_start(start: Path, model: Network) -> None:
    if start.suffix != ".onnx":
        load_average(start, model)
        return
    state = network_of_graph(start).network.state_dict()
    try:
        model.load_state_dict(_new_parts(model, state) | state)
    except RuntimeError as error:
        raise TrainingError(f"{start} holds another network: {error}") from error


def _new_parts(model: Network, start: dict[str, Tensor]) -> dict[str, Tensor]:
    """The fresh weights of those parts of a network that its start has not at all."""
    parts = {name.partition(".")[0] for name in start}
    return {k: v for k, v in model.state_dict().items() if k.partition(".")[0] not in parts}


class NotANumber(TrainingError):
    """A loss that ran away.

    Args:
        what: is not a number.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not a number: try a smaller learning rate in another run")


class Stepper:
    """Takes the steps of a run; everything random in one is a function of seed and number.

    Args:
        recipe: of the run.
        cache: its pictures.
        task: what is trained; moved to the device.
        here: this process and the others.

    Raises:
        TrainingError: when a batch does not divide evenly.
    """

    def __init__(self, recipe: Recipe, cache: PictureCache, task: Task, here: Processes) -> None:
        self.recipe, self.here = recipe, here
        for phase in recipe.phases:
            if phase.batch % (here.count * phase.accumulate):
                raise TrainingError(
                    f"A batch of {phase.batch} does not divide into {here.count} processes "
                    f"of {phase.accumulate} parts each: change the phase's batch."
                )
            if phase.size % task.model.size_multiple:
                raise TrainingError(
                    f"A size of {phase.size} is no multiple of {task.model.size_multiple}, as the "
                    f"architecture '{recipe.architecture}' needs it: change the phase's size."
                )
        self.task = task.to(here.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        weights = draw_weights(cache.names, recipe.data.source_weights)
        self.sampler = Sampler(cache, np.cumsum(weights), recipe.seed, recipe.augment.flip)
        self.labels = torch.from_numpy(cache.labels()[0])
        self.optimizers = {player: self._optimizer(player) for player in task.players}
        self.peaks = {
            player: [float(group["lr"]) for group in optimizer.param_groups]
            for player, optimizer in self.optimizers.items()
        }

    def _optimizer(self, player: str) -> torch.optim.Optimizer:
        how = self.recipe.optimizer
        return torch.optim.AdamW(
            self.task.parameter_groups(player),
            betas=how.betas,
            weight_decay=how.weight_decay,
            fused=True,
        )

    def take(self, step: int, phase: Phase, rate: float) -> Terms:
        """Move every player once.

        Args:
            step: number of the step in the whole run.
            phase: batch and size.
            rate: part of the peak learning rates.

        Raises:
            NotANumber: a loss or a gradient; no weight of that player has moved.
        """
        torch.manual_seed(self.recipe.seed * 1_000_003 + step * self.here.count + self.here.rank)
        self.task.train()
        _freeze_norm(self.task, self.recipe)
        terms: Terms = {}
        for player, optimizer in self.optimizers.items():
            for group, peak in zip(optimizer.param_groups, self.peaks[player], strict=True):
                group["lr"] = peak * rate
            optimizer.zero_grad()
            terms[player] = self._backward(player, step, phase)
            if not torch.isfinite(terms[player]["loss"]):
                raise NotANumber("the loss")
            moved = [p for group in optimizer.param_groups for p in group["params"]]
            self.here.average_gradients(moved)
            norm = nn.utils.clip_grad_norm_(moved, self.recipe.optimizer.clip)
            if not torch.isfinite(norm):
                raise NotANumber("a gradient")
            optimizer.step()
        return terms

    def _backward(self, player: str, step: int, phase: Phase) -> dict[str, Tensor]:
        """Add up the gradients of this process's part of a batch; the terms' means over all."""
        rows, parts = self.here.rows(phase.batch), phase.accumulate
        terms: dict[str, Tensor] = {}
        for part in range(parts):
            few = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
            rng = np.random.default_rng((self.recipe.seed, step, 1))
            values = self.task.losses(player, self.batch(step, phase, few), rng)
            (values["loss"] / parts).backward()
            for name, value in values.items():
                terms[name] = terms.get(name, torch.zeros_like(value)) + value.detach() / parts
        return self.here.average_terms(terms)

    def batch(self, step: int, phase: Phase, rows: range) -> Batch:
        """Some rows of a step's batch."""
        crops, chosen = self.sampler.crops(step, phase, rows)
        lab, rgb = lab_of_crops(crops, phase.size, self.here.device, self.sampler.cache.ready)
        L = lightness_of_luma(rgb) if self.recipe.data.grey == "luma" else lab[:, :1]
        rngs = [self.sampler.row_rng(step, row, "film") for row in rows]
        if self.recipe.film.orthochromatic:
            emulsions = [self.sampler.row_rng(step, row, "emulsion") for row in rows]
            L = film_lightness(L, rgb, self.recipe.film, emulsions)
        both = rotate(torch.cat([L, lab], 1), self.recipe.augment.rotation, rngs)
        L = disturb_lightness(both[:, :1], self.recipe.film, rngs)
        own = [self.sampler.row_seed(step, row, "task") for row in rows]
        return Batch(L, both[:, 1:], self.labels[chosen].to(self.here.device), own)


def _freeze_norm(task: Task, recipe: Recipe) -> None:
    """Let batch normalisations keep their statistics: those of frozen parts, or all."""
    frozen = tuple(f"model.{name}" for name in recipe.freeze)
    for name, module in task.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
            recipe.freeze_norm or name.startswith(frozen)
        ):
            module.eval()


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average: average = decay · average + (1 - decay) · model."""
    ours: dict[str, Tensor] = average.state_dict()
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            ours[name].lerp_(value, 1 - decay)
        else:
            ours[name].copy_(value)
