"""What a run has measured so far, kept in files so that an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from tintype.errors import UnwritableImage
from tintype.evaluation.columns import COLUMNS, Score
from tintype.evaluation.fairness import FaceFigures
from tintype.images.replacing import atomic, part_prefix

Scalar = TypeVar("Scalar", bound=np.generic)

FORMAT = 1
"""Counts up when a metric changes, so that older files are measured anew."""


class Ledger:
    """The scores of one row, by picture.

    Attributes:
        scores: digest of the picture's file to its score.
    """

    def __init__(self, folder: Path, facts: Sequence[str]) -> None:
        """Take up what an earlier run of the same row left.

        Args:
            folder: of the run's unfinished state.
            facts: everything that a score depends on, but for the picture; another set of facts
                starts anew.
        """
        key = json.dumps([FORMAT, [column.key for column in COLUMNS], *facts])
        self._path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
        self.scores: dict[str, Score] = {}
        if self._path.exists():
            self._read()

    def _read(self) -> None:
        """A file that cannot be read is as good as none."""
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            parts = (
                arrays["names"].tolist(),
                arrays["values"],
                _split(arrays["cells"], arrays["cell_ends"]),
                _split(arrays["counts"], arrays["cell_ends"]),
                _split(arrays["faces"], arrays["face_ends"]),
            )
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return
        for name, values, cells, counts, faces in zip(*parts, strict=True):
            figures = tuple(FaceFigures.from_row(row) for row in faces)
            self.scores[str(name)] = Score(values, cells, counts, figures)

    def save(self) -> None:
        """Write it all, atomically.

        Raises:
            UnwritableImage: read-only folder or full disk.
        """
        scores = list(self.scores.values())
        if not scores:
            return
        faces = [face.to_row() for each in scores for face in each.faces]
        width = len(dataclasses.fields(FaceFigures))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(self._path) as file:
                self._write(file, scores, np.array(faces, np.float64).reshape(-1, width))
        except OSError as error:
            raise UnwritableImage(f"{self._path} cannot be written: {error.strerror}.") from error

    def _write(self, file: BinaryIO, scores: list[Score], faces: NDArray[np.float64]) -> None:
        np.savez(
            file,
            names=np.array(list(self.scores)),
            values=np.stack([each.values for each in scores]),
            cells=np.concatenate([each.cells for each in scores]),
            counts=np.concatenate([each.counts for each in scores]),
            cell_ends=np.cumsum([len(each.cells) for each in scores]),
            faces=faces,
            face_ends=np.cumsum([len(each.faces) for each in scores]),
        )

    def discard(self) -> None:
        """Remove the file, and what an interrupted save has left of it."""
        self._path.unlink(missing_ok=True)
        for part in self._path.parent.glob(f"{part_prefix(self._path)}*"):
            part.unlink(missing_ok=True)


def _split(array: NDArray[Scalar], ends: NDArray[np.int64]) -> list[NDArray[Scalar]]:
    return np.split(array, ends[:-1])
