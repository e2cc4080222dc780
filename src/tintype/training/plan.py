"""What a run is to be and when it was started, as its folder says it: ``run.json``."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from tintype.images.replacing import atomic
from tintype.training.config import Recipe

_FILE = "run.json"


@dataclass(frozen=True)
class Plan:
    """What a run is to be.

    Attributes:
        recipe: as JSON has it.
        total: pictures that all phases see, with repetition.
        epoch: pictures of the training set.
        starts_s: when it was begun and gone on with, in seconds since 1970.
    """

    recipe: dict[str, object]
    total: int
    epoch: int
    starts_s: tuple[float, ...]


def note_start(run: Path, seen: int, recipe: Recipe, total: int, epoch: int) -> None:
    """Write that a run begins, or goes on when it has seen pictures, now."""
    before = read_plan(run) if seen else None
    starts = (*(before.starts_s if before else ()), round(time.time(), 1))
    plan = Plan(dataclasses.asdict(recipe), total, epoch, starts)
    with atomic(run / _FILE) as file:
        file.write(json.dumps(dataclasses.asdict(plan), indent=1, default=str).encode("utf-8"))


def read_plan(run: Path) -> Plan | None:
    """The plan of a run; None where none is written, or none that can be read."""
    try:
        found = json.loads((run / _FILE).read_text(encoding="utf-8"))
        return Plan(**found | {"starts_s": tuple(found["starts_s"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
