"""Four colourful pictures and what it takes to train an adversarial network on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tintype.color import rgb_to_lab
from tintype.models import build
from tintype.training.config import Augment, Data, Film, Optimizer, Phase, Recipe
from tintype.training.datasets import PictureCache
from tintype.training.distributed import Processes
from tintype.training.objectives import Adversarial, Cycle, Objective, Saliency
from tintype.training.steps import Stepper
from tintype.training.tasks import TASKS, Batch, Setting, Task

SIDE = 64

NAMES = ("a-0", "a-1", "b-0", "b-1")

OBJECTIVES: dict[str, tuple[str, Objective]] = {
    "pix2pix": ("adversarial", Adversarial(discriminator_width=8)),
    "dcgan": (
        "adversarial",
        Adversarial(discriminator="picture", discriminator_width=8, smooth_real=0.9),
    ),
    "scgan": ("saliency", Saliency(discriminator_width=8)),
    "mcgan": ("cycle", Cycle(discriminator_width=4, cycle=40)),
}
"""Architecture to its task and what that minimises."""

OPTIONS: dict[str, dict[str, object]] = {
    "pix2pix": {"width": 8, "downs": 6},
    "dcgan": {"width": 8, "downs": 6},
    "scgan": {"width": 4, "downs": 6},
    "mcgan": {"width": 8, "blocks": 2, "domains": 2},
}

COLOURS = (  # of a disc and its ground, sRGB in [0,1]
    ((0.35, 0.6, 0.95), (0.3, 0.5, 0.1)),
    ((0.75, 0.3, 0.2), (0.9, 0.8, 0.5)),
    ((0.9, 0.15, 0.25), (0.15, 0.45, 0.2)),
    ((0.5, 0.25, 0.7), (0.7, 0.5, 0.25)),
)


def pictures() -> NDArray[np.uint8]:
    """(4, SIDE, SIDE, 3): a disc of one colour on another, each picture striped its own way."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    made = []
    for (disc, ground), angle in zip(COLOURS, np.arange(4) * np.pi / 4, strict=True):
        inside = np.hypot(rows - SIDE / 2, columns - SIDE / 2) < SIDE / 3
        along = rows * np.sin(angle) + columns * np.cos(angle)
        light = 0.85 + 0.15 * np.sin(along * np.where(inside, 1.6, 0.8))
        made.append(np.where(inside[..., None], disc, ground) * light[..., None])
    return np.uint8(np.stack(made) * 255)


def cache() -> PictureCache:
    """The pictures as if they had been decoded, of two sources."""
    sizes, offsets = np.full((4, 2), SIDE), np.arange(4) * SIDE * SIDE * 3
    return PictureCache(pictures().reshape(-1), offsets, sizes, np.asarray(NAMES))


def batch() -> Batch:
    """Each picture once, with the number of its source."""
    rgb = torch.from_numpy(pictures()).permute(0, 3, 1, 2).float() / 255
    lab = rgb_to_lab(rgb, axis=1)
    return Batch(lab[:, :1], lab, torch.tensor([0, 0, 1, 1]), [(5, row) for row in range(4)])


def recipe(architecture: str, rate: float = 1e-3) -> Recipe:
    """Whole pictures, four at a time, fp32, nothing varied."""
    task, objective = OBJECTIVES[architecture]
    return Recipe(
        architecture=architecture,
        data=Data((), {}),
        phases=(Phase(batch=4, size=SIDE, crops=(SIDE, SIDE), pictures=4),),
        task=task,
        objective=objective,
        options=OPTIONS[architecture],
        optimizer=Optimizer(
            rate=rate,
            trunk_rate=rate,
            weight_decay=0,
            betas=(0.5, 0.999),
            warmup_pictures=0,
            clip=1000,
        ),
        augment=Augment(flip=0),
        film=Film(tone=0, grain=0, blur=0),
        precision="fp32",
    )


def new_task(how: Recipe) -> Task:
    """A network with fresh weights and its opponents."""
    torch.manual_seed(how.seed)
    model = build(how.architecture, how.options)
    return TASKS[how.task](model, Setting(how, cache(), Path(), fresh=True))


def new_stepper(how: Recipe) -> Stepper:
    """What takes the steps of a recipe, on one CPU."""
    return Stepper(how, cache(), new_task(how), Processes(0, 1, torch.device("cpu")))
