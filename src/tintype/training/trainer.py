"""The training loop: reads top to bottom, resumes exactly, leaves curves behind."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tintype.errors import TrainingError
from tintype.models import build
from tintype.models.tintype import Tintype
from tintype.progress import Progress
from tintype.training.checkpoints import load_average, load_checkpoint, save_checkpoint
from tintype.training.config import Phase, Recipe
from tintype.training.curves import draw_curves
from tintype.training.datasets import draw_weights, open_cache, validation_pictures
from tintype.training.tasks import BinsAndRegression, lab_of_crops
from tintype.training.validation import score

LOG_EVERY = 20


def train(recipe: Recipe, data: Path, run: Path, start: Path | None = None) -> Iterator[Progress]:
    """Train one network; the same call goes on where an interrupted one stopped.

    The batch, the crops and every other random choice are functions of the seed and the step's
    number, so that a resumed run takes the very steps the uninterrupted one would have taken.

    Args:
        recipe: what to train.
        data: the data directory that the recipe's paths are relative to.
        run: folder for ``checkpoint.safetensors``, ``log.csv``, ``validation.csv``, ``curves.png``.
        start: checkpoint of another run of the same network whose averaged weights to start from.

    Yields:
        Pictures seen, of how many, and the stage with its loss.

    Raises:
        TrainingError: when data are missing or the loss is no longer a number; the last
            checkpoint stays usable.
    """
    run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(recipe.seed)
    yield Progress(0, recipe.pictures, "decoding pictures")
    cache = open_cache(recipe.data, data, run.parent / "cache")
    weights = draw_weights(cache.names, recipe.data.source_weights)
    validation = {
        name: validation_pictures(data / where, recipe.data.validation_limit)
        for name, where in recipe.data.validation.items()
    }

    model = _new_model(recipe, data, start).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = BinsAndRegression(recipe.loss, recipe.film, cache, device)
    model.log_weights.copy_(task.cross_entropy.log_weights)
    average = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(
        model.parameter_groups(recipe.optimizer.rate, recipe.optimizer.trunk_rate),
        weight_decay=recipe.optimizer.weight_decay,
        fused=True,
    )
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    checkpoint = run / "checkpoint.safetensors"
    step, seen = load_checkpoint(checkpoint, model, average, optimizer, recipe)

    while seen < recipe.pictures:
        phase = phase_at(recipe, seen)
        rng = np.random.default_rng((recipe.seed, step, 1))
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * rate_at(recipe, seen)
        lab = lab_of_crops(cache.batch(step, phase, recipe.seed, weights), phase.size, device)
        model.train()
        terms = task.step(model, lab, rng)
        if not torch.isfinite(terms["loss"]):
            raise TrainingError(
                f"The loss is not a number at picture {seen}; {checkpoint} is the last good state."
            )
        optimizer.zero_grad()
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        follow(average, model, min(recipe.optimizer.ema_decay, (1 + step) / (10 + step)))

        before, seen, step = seen, seen + phase.batch, step + 1
        turn = seen // recipe.validate_every > before // recipe.validate_every
        if step % LOG_EVERY == 0 or turn or seen >= recipe.pictures:
            values = {name: round(float(term.detach()), 4) for name, term in terms.items()}
            _append(run / "log.csv", {"pictures": seen, "time_s": round(time.time(), 1), **values})
            yield Progress(seen, recipe.pictures, f"training, loss {values['loss']:.3f}")
        if turn or seen >= recipe.pictures:
            yield Progress(seen, recipe.pictures, "validating")
            for name, pictures in validation.items():
                figures = score(average, pictures, device)
                _append(run / "validation.csv", {"pictures": seen, "set": name, **figures})
            save_checkpoint(checkpoint, model, average, optimizer, recipe, step, seen)
            draw_curves(run)


def _new_model(recipe: Recipe, data: Path, start: Path | None) -> Tintype:
    try:
        model = build(recipe.architecture, recipe.options)
    except TypeError as error:
        raise TrainingError(f"The recipe's options do not fit: {error}") from error
    if not isinstance(model, Tintype):
        raise TrainingError(
            f"The architecture '{recipe.architecture}' cannot be trained with this task yet; "
            "the one that can is tintype."
        )
    if start is not None:
        load_average(start, model)
    elif recipe.encoder is not None:
        model.trunk.load_encoder(data / recipe.encoder)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(recipe.freeze) if recipe.freeze else True)
    return model


def phase_at(recipe: Recipe, seen: int) -> Phase:
    """The phase that the picture number ``seen`` falls into."""
    for phase in recipe.phases:
        if seen < phase.pictures:
            return phase
        seen -= phase.pictures
    return recipe.phases[-1]


def rate_at(recipe: Recipe, seen: int) -> float:
    """Part of the peak learning rate: linear warm-up, then cosine decay to zero."""
    warmup = recipe.optimizer.warmup_pictures
    if seen < warmup:
        return (seen + 1) / warmup
    return 0.5 + 0.5 * math.cos(math.pi * (seen - warmup) / max(1, recipe.pictures - warmup))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the average: average = decay · average + (1 - decay) · model."""
    ours: dict[str, Tensor] = average.state_dict()
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            ours[name].lerp_(value, 1 - decay)
        else:
            ours[name].copy_(value)


def _append(path: Path, row: dict[str, object]) -> None:
    """Add a row to a CSV file, with a header when it is new."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
