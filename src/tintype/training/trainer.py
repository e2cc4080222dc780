"""The training loop: reads top to bottom, resumes exactly, leaves curves behind."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.download import sha256_of
from tintype.errors import TrainingError
from tintype.progress import Progress
from tintype.training.checkpoints import Basis, Position, State, load_checkpoint, save_checkpoint
from tintype.training.config import Data, Recipe
from tintype.training.datasets import PictureCache, open_cache, validation_pictures
from tintype.training.distributed import Processes, processes
from tintype.training.logbook import Logbook
from tintype.training.schedule import (
    gain_by_validation,
    is_best,
    is_over,
    lengths_of,
    phase_at,
    rate_at,
)
from tintype.training.steps import NotANumber, Stepper, follow, new_task
from tintype.training.validation import validate

LOG_EVERY = 20

SAVE_EVERY_S = 300.0
"""Checkpoints are written after each validation, and in between as often as this."""

_NO_MEMORY = ("out of memory", "can't allocate", "cannot allocate")

CHECKPOINT = "checkpoint.safetensors"

BEST = "best.safetensors"
"""The checkpoint whose mean gain over the validation sets is the highest."""


def train(recipe: Recipe, data: Path, run: Path, start: Path | None = None) -> Iterator[Progress]:
    """Train one network; the same call goes on where an interrupted one stopped.

    The batch, the crops and every other random choice are functions of the seed and the step's
    number, so that a resumed run takes the very steps the uninterrupted one would have taken.
    Under ``torchrun`` each process computes its part of every batch, and the first one writes.

    Args:
        recipe: what to train.
        data: the data directory that the recipe's paths are relative to.
        run: folder for ``checkpoint.safetensors``, ``best.safetensors`` and what there is to look
            at: ``index.html``, ``pictures/``, ``log.csv``, ``validation.csv``, ``tensorboard/``.
        start: checkpoint of another run of the same network whose averaged weights to start from,
            or a graph that was exported from one; it is scored, too, before the first step.

    Yields:
        Pictures seen, of how many, and the stage with its loss.

    Raises:
        TrainingError: when data are missing, the folder holds another run, the loss is no longer a
            number or memory is not enough; the last checkpoint stays usable.
    """
    run.mkdir(parents=True, exist_ok=True)
    with processes() as here:
        try:
            yield from _train(recipe, data, run, start, here)
        except (MemoryError, RuntimeError) as error:
            said = str(error).lower()
            if not isinstance(error, MemoryError) and not any(each in said for each in _NO_MEMORY):
                raise
            raise TrainingError(
                "Memory is not enough: give the phase a larger accumulate, with which the run goes "
                f"on, or a smaller batch; {_last_good(run)}."
            ) from error
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):  # batch normalisation's words
                raise
            raise TrainingError(
                "Batch normalisation takes more than one value: give the phase a larger size or "
                "parts of several pictures, or the network fewer levels."
            ) from error


def _train(
    recipe: Recipe, data: Path, run: Path, start: Path | None, here: Processes
) -> Iterator[Progress]:
    yield Progress(0, 1, "decoding pictures")
    cache = _pictures_of(recipe, data, run.parent / "cache", here)
    stepper = Stepper(recipe, cache, new_task(recipe, data, cache, start), here)
    average = copy.deepcopy(stepper.task.model).eval()
    state = State(stepper.task, average, stepper.optimizers)
    basis = Basis(recipe, cache.digest, sha256_of(start) if start else "")
    step, seen, lengths = load_checkpoint(run / CHECKPOINT, state, basis)
    lengths = lengths or lengths_of(recipe, len(cache), stepper)
    total = sum(lengths)
    logbook = Logbook(run, seen, recipe, total, len(cache)) if here.is_first else None
    validation = _validation_of(recipe.data, data) if here.is_first else {}

    def save(path: Path = run / CHECKPOINT) -> None:
        save_checkpoint(path, state, basis, Position(step, seen, lengths))

    def keep() -> None:
        """Score the average and save everything."""
        if logbook:
            for name, pictures in validation.items():
                luma, bf16 = recipe.data.grey == "luma", recipe.precision == "bf16"
                found = validate(average, pictures, here.device, luma, bf16)
                logbook.validated(seen, name, found, pictures)
            # The best first: killed between the two, a run scores the same state once more.
            if is_best(gain_by_validation(run)):
                save(run / BEST)
            save()
            logbook.draw()
        here.wait()

    def ends() -> bool:
        """Whether nothing has got better for too long; the first trims the curves, and says it."""
        return bool(here.agree_on([is_over(gain_by_validation(run), recipe.patience)])[0])

    if start is not None and seen == 0:
        yield Progress(0, total, "validating the start")
        keep()
    saved_s = time.monotonic()
    over = ends() and seen > 0
    while seen < total and not over:
        phase = phase_at(recipe, lengths, seen)
        try:
            terms = stepper.take(step, phase, rate_at(recipe.optimizer, seen, total))
        except NotANumber as error:
            raise TrainingError(f"At picture {seen} {error}; {_last_good(run)}.") from error
        follow(
            average, stepper.task.model, min(recipe.optimizer.ema_decay, (1 + step) / (10 + step))
        )

        before, seen, step = seen, seen + phase.batch, step + 1
        if logbook and time.monotonic() - saved_s > SAVE_EVERY_S:
            save()
            saved_s = time.monotonic()
        turn = seen // recipe.validate_every > before // recipe.validate_every or seen >= total
        if logbook and (step % LOG_EVERY == 0 or turn):
            losses = [logbook.log(seen, player, values) for player, values in terms.items()]
            yield Progress(min(seen, total), total, f"training, loss {' and '.join(losses)}")
        if turn:
            yield Progress(min(seen, total), total, "validating")
            keep()
            over = ends()


def _pictures_of(recipe: Recipe, data: Path, folder: Path, here: Processes) -> PictureCache:
    """The training pictures; the first process makes their cache while the others wait.

    Raises:
        TrainingError: there are none, or they are smaller than the recipe's crops.
    """
    if here.is_first:
        open_cache(recipe.data, data, folder)
    here.wait()
    cache = open_cache(recipe.data, data, folder)
    largest = max(phase.crops[1] for phase in recipe.phases)
    if cache.ready:  # of the sizes that ``prepare`` found: small ones stayed small
        cache = cache.of_at_least(largest)
    least = int(cache.sizes.min()) if len(cache) else 0
    if largest > least:
        found, other = f"pictures of {least}", " or data.short_side"
        if cache.ready:
            found, other = "any of the pictures", ""
        raise TrainingError(
            f"Crops of {largest} do not fit into {found}: change the phase's crops{other}."
        )
    return cache


def _validation_of(given: Data, data: Path) -> dict[str, NDArray[np.uint8]]:
    limit, size = given.validation_limit, given.validation_size
    return {
        name: validation_pictures(data / where, limit, size)
        for name, where in given.validation.items()
    }


def _last_good(run: Path) -> str:
    checkpoint = run / CHECKPOINT
    if checkpoint.exists():
        return f"{checkpoint} is the last good state, which --start takes"
    return "there is no checkpoint yet"
