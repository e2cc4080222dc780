"""What a run leaves behind to be looked at: its losses and validation figures as CSV files."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tintype.training.validation import Validation


class Logbook:
    """The records of one run folder.

    Args:
        run: the folder.
        seen: pictures seen so far; records of what a killed run did after its last checkpoint are
            taken out, since those steps are taken again.
    """

    def __init__(self, run: Path, seen: int) -> None:
        self.run = run
        for name in ("log.csv", "validation.csv"):
            _keep_until(run / name, seen)

    def log(self, seen: int, player: str, terms: dict[str, Tensor]) -> str:
        """Record the terms of a player's step; the loss, to be shown."""
        for name, term in terms.items():
            row = {"pictures": seen, "time_s": round(time.time(), 1), "player": player}
            value = round(float(term), 5)
            _append(self.run / "log.csv", row | {"term": name, "value": value})
        return f"{float(terms['loss']):.3f}"

    def validated(
        self, seen: int, name: str, found: Validation, pictures: NDArray[np.uint8]
    ) -> None:
        """Record a validation on the set ``name`` and keep its first pictures to be looked at.

        Args:
            seen: pictures seen so far.
            name: of the set.
            found: the figures.
            pictures: uint8 (n, H, W, 3), the true ones.
        """
        for figure in found.figures:
            _append(self.run / "validation.csv", {"pictures": seen, "set": name, **figure})

    def draw(self) -> None:
        """Write the page of the run anew."""


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _keep_until(path: Path, seen: int) -> None:
    rows = read_rows(path)
    kept = [row for row in rows if int(row["pictures"]) <= seen]
    if len(kept) < len(rows):
        path.unlink()
        for row in kept:
            _append(path, row)


def _append(path: Path, row: dict[str, object] | dict[str, str]) -> None:
    """Add a row to a CSV file, with a header when it is new."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)
