"""When what happens in a run: how long its phases are, the learning rate, when it stops early."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

from tintype.training.config import Optimizer, Phase, Recipe
from tintype.training.records import read_rows
from tintype.training.steps import Stepper

PROBE_STEPS = 4
"""Steps that the length of a phase in minutes is measured over, after one to warm up."""


def lengths_of(recipe: Recipe, pictures: int, stepper: Stepper) -> tuple[int, ...]:
    """How many pictures each phase sees; a phase in minutes is measured, by the first process.

    Args:
        recipe: of the run.
        pictures: in the training set.
        stepper: of the run; its state stays as it is.
    """
    lengths = []
    for phase in recipe.phases:
        if phase.pictures is not None:
            lengths.append(phase.pictures)
        elif phase.epochs is not None:
            lengths.append(max(1, round(phase.epochs * pictures)))
        else:
            rate = _pictures_per_s(stepper, phase)
            lengths.append(max(phase.batch, round(60 * (phase.minutes or 0) * rate)))
    return tuple(stepper.here.agree_on(lengths))


def _pictures_per_s(stepper: Stepper, phase: Phase) -> float:
    # The pictures are shared: a copy would hold the whole cache in memory.
    probe = copy.deepcopy(stepper, {id(stepper.sampler): stepper.sampler})
    probe.take(0, phase, 0.0)
    begin = time.perf_counter()
    for step in range(PROBE_STEPS):
        probe.take(step, phase, 0.0)
    return PROBE_STEPS * phase.batch / (time.perf_counter() - begin)


def phase_at(recipe: Recipe, lengths: tuple[int, ...], seen: int) -> Phase:
    """The phase that the picture number ``seen`` falls into."""
    for phase, length in zip(recipe.phases, lengths, strict=True):
        if seen < length:
            return phase
        seen -= length
    return recipe.phases[-1]


def rate_at(optimizer: Optimizer, seen: int, pictures: int) -> float:
    """Part of the peak learning rate: linear warm-up, then constant or cosine decay to zero.

    Args:
        optimizer: the schedule.
        seen: pictures seen.
        pictures: of the whole run.
    """
    warmup = optimizer.warmup_pictures
    if seen < warmup:
        return (seen + 1) / warmup
    if optimizer.schedule == "constant":
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (seen - warmup) / max(1, pictures - warmup))


def gain_by_validation(run: Path) -> list[float]:
    """The mean gain of each validation of a run so far that was on the sets of the last, in dB."""
    gains: dict[int, dict[str, float]] = {}
    for row in read_rows(run / "validation.csv"):
        if row["head"] == "ab":
            gains.setdefault(int(row["pictures"]), {})[row["set"]] = float(row["gain_db"])
    by_time = [values for _, values in sorted(gains.items())]
    return [
        sum(values.values()) / len(values)
        for values in by_time
        if values.keys() == by_time[-1].keys()
    ]


def is_best(gains: list[float]) -> bool:
    """Whether the last validation is the best so far."""
    return bool(gains) and gains[-1] >= max(gains)


def is_over(gains: list[float], patience: int) -> bool:
    """Whether the best validation lies at least ``patience`` validations back; 0 = never."""
    return patience > 0 and bool(gains) and len(gains) - 1 - gains.index(max(gains)) >= patience
