"""What is kept of unfinished work on a film: finished segments and the state after each.

A segment is finished when its state lies beside it; both appear whole. Boundaries are set by the
number of frames alone, so that interrupted and uninterrupted work make the same segments.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.errors import UnwritableFilm

State = dict[str, NDArray[np.generic]]

SEGMENT_S = 10
"""About so many seconds of film lie between two points at which work can go on."""


@dataclass(frozen=True)
class Position:
    """Where work goes on.

    Attributes:
        segment: number of the segment to be made.
        frame: number of its first frame in the film.
        pts: timestamp of that frame; None at the beginning.
        state: of what remembers earlier frames; None at the beginning.
        ended: whether the film has no further frame.
    """

    segment: int = 0
    frame: int = 0
    pts: int | None = None
    state: State | None = None
    ended: bool = False


def parts_of(target: Path) -> Path:
    """The folder of unfinished work beside an output."""
    return target.with_name(f"{target.name}.tintype-parts")


def finished_segment(folder: Path, number: int) -> Path | None:
    """The file of a segment in a folder of unfinished work; None while it is not finished."""
    film = folder / f"{number:06d}.nut"
    return film if film.with_suffix(".npz").is_file() else None


class Segments:
    """The folder of finished segments beside an output.

    Args:
        target: the output.
        job: everything that the result depends on; work on another job is not gone on with.
    """

    def __init__(self, target: Path, job: dict[str, object]) -> None:
        self.folder = parts_of(target)
        self._job = json.dumps(job, sort_keys=True, default=str)

    def open(self) -> Position:
        """Make the folder, or find where earlier work on the same job stopped.

        Raises:
            UnwritableFilm: the folder cannot be made.
        """
        note = self.folder / "job.json"
        try:
            if note.is_file() and note.read_text(encoding="utf-8") == self._job:
                return self._position()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            note.write_text(self._job, encoding="utf-8")
        except OSError as error:
            raise UnwritableFilm(f"{self.folder} cannot be made: {error.strerror}.") from error
        return Position()

    def _position(self) -> Position:
        position = Position()
        while not position.ended and self.is_whole(position.segment):
            try:
                state = self._kept(position.segment)
                frame, pts, end = (
                    int(state.pop(f"next.{name}")) for name in ("frame", "pts", "end")
                )
            except (ValueError, EOFError, KeyError, zipfile.BadZipFile):
                break  # the machine lost its power meanwhile: it is made again
            position = Position(position.segment + 1, frame, pts, state, bool(end))
        return position

    def _kept(self, number: int) -> State:
        with np.load(self._state(number), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def is_whole(self, number: int) -> bool:
        """Whether a segment is finished."""
        return self._state(number).is_file()

    def film(self, number: int) -> Path:
        """The file of a finished segment."""
        return self.folder / f"{number:06d}.nut"

    def part(self, number: int) -> Path:
        """The file of a segment while it is being made."""
        return self.folder / f"{number:06d}.part.nut"

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz"

    def finish(self, number: int, state: State, next_frame: int, next_pts: int | None) -> None:
        """Note that a segment is whole.

        Args:
            number: of the segment.
            state: after its last frame.
            next_frame: number of the frame that follows.
            next_pts: its timestamp; None when the film has ended.

        Raises:
            UnwritableFilm: the disk is full.
        """
        arrays = {
            **state,
            "next.frame": np.asarray(next_frame),
            "next.pts": np.asarray(next_pts or 0),
            "next.end": np.asarray(next_pts is None),
        }
        part = self.folder / f"{number:06d}.part.npz"
        try:
            with part.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            with self.part(number).open("rb") as film:
                os.fsync(film.fileno())  # the state must never outlive the frames in a power cut
            self.part(number).replace(self.film(number))
            part.replace(self._state(number))
        except OSError as error:
            raise UnwritableFilm(f"{part} cannot be written: {error.strerror}.") from error

    def finished(self, count: int) -> list[Path]:
        """The files of the first ``count`` segments."""
        return [self.film(number) for number in range(count)]

    def remove(self) -> None:
        """Remove the folder; the output is whole."""
        shutil.rmtree(self.folder, ignore_errors=True)
