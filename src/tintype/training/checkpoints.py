"""How a run is kept: one safetensors file with weights, their average and the optimizers."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tintype.errors import TrainingError
from tintype.images.replacing import atomic
from tintype.models import Network, build_with, options_of
from tintype.training.config import Recipe


class State(NamedTuple):
    """Everything that the next step depends on.

    Attributes:
        task: with the network and its opponents.
        average: of the network's weights.
        optimizers: by player.
    """

    task: nn.Module
    average: nn.Module
    optimizers: dict[str, torch.optim.Optimizer]


class Position(NamedTuple):
    """Where a run is.

    Attributes:
        step: steps taken.
        seen: pictures seen.
        lengths: of the phases, in pictures; empty before the first step.
    """

    step: int
    seen: int
    lengths: tuple[int, ...]


class Basis(NamedTuple):
    """What a run is of; one folder holds one.

    Attributes:
        recipe: of the run.
        pictures: what tells its training pictures from others.
        start: checksum of the file that its first weights are from; "" without one.
    """

    recipe: Recipe
    pictures: str = ""
    start: str = ""

    def facts(self) -> dict[str, object]:
        """Everything that a step depends on, by the recipe's keys, as JSON has it."""
        given = json.loads(json.dumps(dataclasses.asdict(self.recipe), default=str))
        facts = {key: value for key, value in _flat(given, "") if not _FREE.match(key)}
        return facts | {"training pictures": self.pictures, "start": self.start}

    def longer(self, lengths: tuple[int, ...]) -> tuple[int, ...]:
        """The lengths of a kept run's phases, the last as the recipe has it now if it is free."""
        last = self.recipe.phases[-1].pictures
        return lengths if last is None or not self.end_is_free else (*lengths[:-1], last)

    @property
    def end_is_free(self) -> bool:
        """Whether no step so far depends on how long the last phase is: the rate is constant."""
        return self.recipe.optimizer.schedule == "constant"


_FREE = re.compile(r"validate_every|patience|data\.validation|phases\.\d+\.accumulate$")
"""Keys that may change when a run is gone on with: no step depends on them, but for rounding and
the statistics of a part of a batch."""


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    """The leaves of dictionaries and lists, by path: "phases.0.batch"."""
    inner = enumerate(value) if isinstance(value, list) else ()
    for key, part in value.items() if isinstance(value, dict) else inner:
        yield from _flat(part, f"{name}.{key}" if name else str(key))
    if not isinstance(value, dict | list):
        yield name, value


def save_checkpoint(path: Path, state: State, basis: Basis, position: Position) -> None:
    """Write a state; the file appears when it is whole.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    recipe = basis.recipe
    tensors = {f"task.{k}": v for k, v in state.task.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.state_dict().items()}
    for player, optimizer in state.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{player}.{index}.{k}": v for k, v in values.items()}
    metadata = {
        "architecture": recipe.architecture,
        "options": json.dumps(recipe.options),
        "basis": json.dumps(basis.facts()),
        "step": str(position.step),
        "seen": str(position.seen),
        "lengths": json.dumps(position.lengths),
    }
    with atomic(path) as file:
        file.write(save({k: v.contiguous() for k, v in tensors.items()}, metadata))


def load_checkpoint(path: Path, state: State, basis: Basis) -> Position:
    """Go back to a saved state; without a file, the start.

    Raises:
        TrainingError: when the file is broken or of another run.
    """
    if not path.exists():
        return Position(0, 0, ())
    tensors, metadata = _read(path)
    ours, theirs = basis.facts(), json.loads(metadata.get("basis", "{}"))
    end = f"phases.{len(basis.recipe.phases) - 1}.pictures" if basis.end_is_free else ""
    for key in sorted((ours.keys() | theirs.keys()) - {end}):
        if ours.get(key) != theirs.get(key):
            raise TrainingError(
                f"{path.parent} holds a run of another {key}: choose another run folder, or ask "
                "for the same again."
            )
    state.task.load_state_dict(_part(tensors, "task."))
    state.average.load_state_dict(_part(tensors, "average."))
    for player, optimizer in state.optimizers.items():
        _restore(optimizer, _part(tensors, f"optimizer.{player}."))
    lengths = basis.longer(tuple(json.loads(metadata["lengths"])))
    return Position(int(metadata["step"]), int(metadata["seen"]), lengths)


def _restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        # The fused optimizer walks the memory: its state must be laid out as the parameter is.
        like = parameters[int(index)]
        laid_out = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        state.setdefault(int(index), {})[name] = laid_out
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def load_average(path: Path, model: nn.Module) -> None:
    """Give a network the averaged weights of a run.

    Raises:
        TrainingError: when the file is broken or holds another network.
    """
    try:
        model.load_state_dict(_part(_read(path)[0], "average."))
    except RuntimeError as error:
        raise TrainingError(f"{path} holds another network: {error}") from error


def load_trained(path: Path, options: dict[str, object] | None = None) -> tuple[Network, int]:
    """The averaged network of a checkpoint, ready to predict, and the pictures it has seen.

    Args:
        path: a ``checkpoint.safetensors``.
        options: of the architecture, to be changed against what was trained (``bins_share``).

    Raises:
        TrainingError: when the file is broken or no checkpoint of Tintype.
    """
    tensors, metadata = _read(path)
    try:
        architecture = metadata["architecture"]
        if options and (unknown := options.keys() - options_of(architecture)):
            raise TrainingError(f"{architecture} has no option {', '.join(sorted(unknown))}.")
        model = build_with(architecture, metadata["options"], options)
        model.load_state_dict(_part(tensors, "average."))
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise TrainingError(f"{path} is no usable checkpoint: {error}") from error
    return model.eval(), int(metadata["seen"])


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is no readable checkpoint: {error}") from error


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
