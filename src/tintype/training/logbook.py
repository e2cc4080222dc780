"""What a run leaves behind to be looked at: CSV files, TensorBoard's, pictures and a page."""

from __future__ import annotations

import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tintype.errors import MissingExtra
from tintype.training.config import Recipe
from tintype.training.plan import note_start
from tintype.training.records import append_rows, keep_until
from tintype.training.run_page import write_page
from tintype.training.strips import greyed, remove_after, strip_of, write_strip
from tintype.training.validation import Validation

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch.utils.tensorboard import SummaryWriter


class Logbook:
    """The records of one run folder.

    They are ``log.csv``, ``validation.csv``, ``run.json``, ``tensorboard/``, ``pictures/`` and
    ``index.html``.

    Args:
        run: the folder.
        seen: pictures seen so far; records of what a killed run did after its last checkpoint are
            taken out, since those steps are taken again, and all of them where it is 0.
        recipe: what is trained.
        total: pictures that all phases see, with repetition.
        epoch: pictures of the training set.

    Raises:
        MissingExtra: without tensorboard.
    """

    def __init__(self, run: Path, seen: int, recipe: Recipe, total: int, epoch: int) -> None:
        self.run = run
        last = seen or -1  # a start is scored before the first step, as picture 0, and scored again
        for name in ("log.csv", "validation.csv"):
            keep_until(run / name, last)
        remove_after(run, last)
        note_start(run, seen, recipe, total, epoch)
        self._board = _board(run / "tensorboard", last + 1)
        weakref.finalize(self, self._board.close)
        self._shown: set[str] = set()

    def log(self, seen: int, player: str, terms: dict[str, Tensor]) -> str:
        """Record the terms of a player's step; the loss, to be shown."""
        values = {name: round(float(term), 5) for name, term in terms.items()}
        row = {"pictures": seen, "time_s": round(time.time(), 1), "player": player}
        rows = [row | {"term": name, "value": value} for name, value in values.items()]
        append_rows(self.run / "log.csv", rows)
        for name, value in values.items():
            self._board.add_scalar(f"{player}/{name}", value, seen)
        return f"{values['loss']:.3f}"

    def validated(
        self, seen: int, name: str, found: Validation, pictures: NDArray[np.uint8]
    ) -> None:
        """Record a validation on the set ``name`` and keep its first pictures to be looked at.

        Args:
            seen: pictures seen so far.
            name: of the set.
            found: the figures.
            pictures: uint8 (n, H, H, 3), the true ones.
        """
        rows = [{"pictures": seen, "set": name, **figure} for figure in found.figures]
        append_rows(self.run / "validation.csv", rows)
        for figure in found.figures:
            for key, value in figure.items():
                if isinstance(value, float):
                    self._board.add_scalar(f"{key}/{name}/{figure['head']}", value, seen)
        if name not in self._shown:
            self._shown.add(name)
            truth = strip_of(pictures[: len(found.shown)])
            write_strip(self.run, name, "truth", truth)
            write_strip(self.run, name, "grey", greyed(truth))
            self._show(f"{name}/truth", truth, seen)
        strip = strip_of(found.shown)
        write_strip(self.run, name, seen, strip)
        self._show(f"{name}/predicted", strip, seen)

    def _show(self, tag: str, strip: Image, seen: int) -> None:
        half = np.asarray(strip.reduce(2))  # TensorBoard keeps PNG, which is large
        self._board.add_image(tag, half, seen, dataformats="HWC")

    def draw(self) -> None:
        """Write the page of the run anew."""
        self._board.flush()
        write_page(self.run)


def _board(folder: Path, purged: int) -> SummaryWriter:
    """TensorBoard's files, in which what was recorded from ``purged`` on counts no longer."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise MissingExtra("Writing TensorBoard's files", "train") from error
    return SummaryWriter(str(folder), purge_step=purged)
